"""Data sets of labelling projects: their items, and what people say of them."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from api.label_items import picture_of, refuse_strange
from api.labelling_access import DatasetEdited, DatasetLabelled, DatasetSeen, ProjectEdited
from api.project_editing import add_dataset, change_dataset, remove_dataset
from api.project_view import DatasetView, dataset_views
from api.services import ServicesOf
from core.label_event import MOST_AT_ONCE, Event, Said, Seen, Undone
from core.model_card import VERSION
from storage.label_candidates import read_scores

router = APIRouter(prefix="/v1/projects/{pid}/datasets", tags=["labelling"])


class NewDataset(BaseModel):
    """What a new data set is called."""

    model_config = ConfigDict(extra="forbid")
    name: str
    description: str = ""


class DatasetChange(BaseModel):
    """What is to change."""

    model_config = ConfigDict(extra="forbid")
    name: str | None = None
    description: str | None = None


class ItemView(BaseModel):
    """A picture to label, and its score by the version that was asked for, None where it has none."""

    item: str
    name: str
    cutout: str
    picture: str
    score: float | None = None


class Items(BaseModel):
    """By name; `after` of the next page, None at the end."""

    items: list[ItemView]
    next: str | None


class SeenView(BaseModel):
    """What was seen as it was said: whether the score was shown, and in which view and queue."""

    model_config = ConfigDict(extra="forbid")
    scores: bool = False
    mode: str = Field("", max_length=32)
    queue: str = Field("", max_length=32)
    by: str = Field("", max_length=32)


class EventView(BaseModel):
    """A press: an item and its class (none to take it back), or the id of a label that is undone.

    `id` is made by the sender: an event that comes twice counts once.
    """

    model_config = ConfigDict(extra="forbid")
    id: str
    at: AwareDatetime
    item: str | None = None
    classes: Annotated[list[str], Field(max_length=50)] | None = None
    class_: str | None = Field(None, alias="class")
    undoes: str | None = None
    seen: SeenView = SeenView()

    @model_validator(mode="after")
    def _one_of_both(self) -> "EventView":
        if (self.item is None) == (self.undoes is None):
            raise ValueError("expected an item with its class, or the event that is undone")
        if self.item is not None and (self.classes is None) == (self.class_ is None):
            raise ValueError("expected class, or a list of classes; an empty list takes back what was said")
        return self

    def event(self) -> Event:
        """The event."""
        if self.undoes is not None:
            return Undone(self.id, self.undoes, self.at)
        classes = self.classes if self.classes is not None else [str(self.class_)]
        seen = Seen(self.seen.scores, self.seen.mode, self.seen.queue, self.seen.by)
        return Said(self.id, str(self.item), tuple(sorted(set(classes))), self.at, seen)


class Events(BaseModel):
    """In the order in which they were pressed."""

    model_config = ConfigDict(extra="forbid")
    events: Annotated[list[EventView], Field(min_length=1, max_length=MOST_AT_ONCE)]


class ReceivedView(BaseModel):
    """How many are new, and how many were known already."""

    new: int
    known: int


class LabelView(BaseModel):
    """What a person says of an item now."""

    item: str
    person: str
    classes: list[str]
    at: datetime
    scores_shown: bool
    event: str


class Labels(BaseModel):
    """By item, then by person."""

    labels: list[LabelView]


@router.post("", status_code=201)
def create_dataset(
    new: NewDataset, response: Response, services: ServicesOf, found: ProjectEdited
) -> DatasetView:
    """A new data set without items."""
    dataset = add_dataset(services.record, found, name=new.name, description=new.description)
    response.headers["Location"] = f"/v1/projects/{found.project.id}/datasets/{dataset.id}"
    return dataset_views(services.record, [dataset])[0]


@router.get("/{did}")
def show_dataset(services: ServicesOf, found: DatasetSeen) -> DatasetView:
    """One data set."""
    return dataset_views(services.record, [found.dataset])[0]


@router.patch("/{did}")
def edit_dataset(change: DatasetChange, services: ServicesOf, found: DatasetEdited) -> DatasetView:
    """Change its name or description."""
    dataset = change_dataset(services.record, found, name=change.name, description=change.description)
    return dataset_views(services.record, [dataset])[0]


@router.delete("/{did}", status_code=204)
def delete_dataset(services: ServicesOf, found: DatasetEdited) -> None:
    """Remove a data set; its items and labels stay on record."""
    remove_dataset(services.record, found)


@router.get("/{did}/items")
def list_items(
    services: ServicesOf,
    found: DatasetSeen,
    after: Annotated[
        str | None, Query(max_length=255, description="the name of the last item before")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=5000)] = 1000,
    version: Annotated[
        str | None, Query(pattern=VERSION.pattern, description="whose scores, such as rb@1")
    ] = None,
) -> Items:
    """The items by name, with the address of each one's picture."""
    items = list(services.record.label_datasets.items(found.dataset, after=after, limit=limit + 1))
    shown = items[:limit]
    scores = read_scores(services.record, shown, version) if version else {}
    return Items(
        items=[
            ItemView(
                item=item.id,
                name=item.name,
                cutout=item.cutout,
                picture=picture_of(item),
                score=scores.get(item.id),
            )
            for item in shown
        ],
        next=shown[-1].name if len(items) > limit else None,
    )


@router.post("/{did}/events")
def post_events(posted: Events, services: ServicesOf, found: DatasetLabelled) -> ReceivedView:
    """Record what the caller pressed: all, or none with what is wrong. Sending it again changes nothing."""
    events = [view.event() for view in posted.events]
    refuse_strange(services.record, found, events)
    received = services.record.label_events.add(found.dataset.id, found.caller.name, events)
    return ReceivedView(new=received.new, known=received.known)


@router.get("/{did}/labels")
def list_labels(
    services: ServicesOf, found: DatasetSeen, person: Annotated[str | None, Query(max_length=64)] = None
) -> Labels:
    """What everybody, or one person, says of each item now."""
    labels = services.record.label_events.labels(found.dataset.id, person=person)
    return Labels(
        labels=[
            LabelView(
                item=label.item,
                person=label.person,
                classes=list(label.classes),
                at=label.at,
                scores_shown=label.scores_shown,
                event=label.event,
            )
            for label in labels
        ]
    )
