"""Queues to label from, and the scores of a data set's items, which nobody gets who does not ask."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from api.label_items import picture_of
from api.labelling_access import DatasetLabelled, DatasetSeen
from api.services import Services, ServicesOf
from core.errors import NotFound
from core.label_queue import Order, QueueKind, Wanted, in_order
from core.model_card import VERSION, ModelCard
from storage.label_candidates import read_candidates, read_scores

router = APIRouter(prefix="/v1/projects/{pid}/datasets/{did}", tags=["labelling"])

MOST = 5000
"""Items of an answer; who has labelled those asks again."""

MOST_HELD = 200
"""Items of a request for holds: two pages of a grid, and more."""

VersionName = Annotated[str, Field(pattern=f"^$|{VERSION.pattern}", max_length=64)]


class AskedQueue(BaseModel):
    """Which queue, and by the scores of which networks."""

    kind: QueueKind = "unlabelled"
    order: Order = "high"
    version: VersionName = ""
    against: VersionName = Field("", description="the other network, where two are to disagree")


class QueueItem(BaseModel):
    """An item, the address of its picture, and the caller's own label; no score, and nobody else's label."""

    item: str
    name: str
    picture: str
    label: str | None


class Queue(BaseModel):
    """The first items of a queue in its order, how many there are, and how many of the data set's items the
    first network has not scored.
    """

    total: int
    unscored: int
    items: list[QueueItem]


class AskedHolds(BaseModel):
    """The ids of the items that are to be labelled next."""

    model_config = ConfigDict(extra="forbid")
    items: list[Annotated[str, Field(max_length=64)]] = Field(max_length=MOST_HELD)


class Holds(BaseModel):
    """Those of them that are the caller's to label, in the order in which they were asked for."""

    items: list[str]


class ItemScores(BaseModel):
    """By item; what the version has not scored is not there."""

    version: str
    scores: dict[str, float]


@router.get("/queue")
def read_queue(services: ServicesOf, found: DatasetSeen, asked: Annotated[AskedQueue, Query()]) -> Queue:
    """What the caller is to look at next."""
    record = services.record
    cards = [card_of(services, version) for version in (asked.version, asked.against) if version]
    candidates, items = read_candidates(record, found.project, found.dataset, found.caller.name, cards)
    thresholds = [card.threshold for card in cards] + [0.5, 0.5]
    wanted = Wanted(
        asked.kind,
        asked.order,
        threshold=thresholds[0],
        other_threshold=thresholds[1],
        overlap=found.project.overlap,
    )
    queue = in_order(candidates, wanted)
    return Queue(
        total=len(queue),
        unscored=sum(candidate.score is None for candidate in candidates) if cards else 0,
        items=[
            QueueItem(item=c.item, name=items[c.item].name, picture=picture_of(items[c.item]), label=c.label)
            for c in queue[:MOST]
        ],
    )


@router.post("/holds")
def hold(asked: AskedHolds, services: ServicesOf, found: DatasetLabelled) -> Holds:
    """Which of these items the caller may go on to, for some minutes or until it asks again.

    Those are left out that as many others have labelled, or are looking at, as are to label an item.
    """
    record, overlap = services.record, found.project.overlap
    items = list(dict.fromkeys(asked.items))
    if overlap == 0:
        return Holds(items=items)
    people: dict[str, set[str]] = {item: set() for item in items}
    for label in record.label_events.labels(found.dataset.id, items=items):
        people[label.item].add(label.person)
    held = record.label_holds.take(found.dataset.id, found.caller.name, people, overlap=overlap)
    return Holds(items=[item for item in items if item in held])


@router.get("/scores")
def list_item_scores(
    services: ServicesOf,
    found: DatasetSeen,
    version: Annotated[str, Query(pattern=VERSION.pattern, description="such as rb@1")],
) -> ItemScores:
    """What a network makes of each item."""
    card_of(services, version)
    items = list(services.record.label_datasets.items(found.dataset))
    return ItemScores(version=version, scores=read_scores(services.record, items, version))


def card_of(services: Services, version: str) -> ModelCard:
    """The card of a version; raises NotFound."""
    card = services.record.models.get(version)
    if card is None:
        raise NotFound(f"there is no version {version!r}")
    return card
