"""How far labellers agree, settling where they don't, and what comes of it: a file, or a frozen data set."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from api.dataset_freezing import Wanted
from api.label_consensus import consensus_csv, consensus_json, freeze_project, project_standings
from api.labelling_access import DatasetEdited, DatasetSeen, InProject, ProjectSeen
from api.routes.datasets import Created
from api.services import Operator, Services, ServicesOf
from core.errors import InvalidRequest, NotFound
from core.label_event import EVENT_ID
from storage.label_agreement import agreements_of, standings
from storage.settlements import Settlement

router = APIRouter(prefix="/v1/projects/{pid}", tags=["labelling"])

MinVotes = Annotated[int, Query(ge=1, le=1000, description="how many people have to have labelled an item")]


class PairView(BaseModel):
    """Two people; kappa is null where it is not defined."""

    people: tuple[str, str]
    both: int
    agreed: int
    kappa: float | None


class DatasetProgress(BaseModel):
    """How many items a data set has, how many of them each person has labelled, and how many as many people
    as the project wants.
    """

    id: str
    name: str
    items: int
    people: dict[str, int]
    done: int


class AgreementView(BaseModel):
    """Progress, kappas over all data sets, and how many items are open: disputed, and not settled."""

    datasets: list[DatasetProgress]
    pairs: list[PairView]
    labelled: int
    open: int
    settled: int


class NewSettlement(BaseModel):
    """The classes that stand for an item, none to take back what was settled. `id` is made by the sender."""

    model_config = ConfigDict(extra="forbid")
    id: str = Field(pattern=f"^{EVENT_ID.pattern}$")
    item: str = Field(max_length=64)
    classes: list[str] = Field(max_length=50)


@router.get("/agreement")
def show_agreement(services: ServicesOf, found: ProjectSeen) -> AgreementView:
    """How far the labellers of a project are, and how far they agree."""
    record = services.record
    all_standings = project_standings(services, found.project)
    datasets = record.label_datasets.of_projects([found.project.id])
    counts = record.label_datasets.count([dataset.id for dataset in datasets])
    return AgreementView(
        datasets=[
            DatasetProgress(
                id=dataset.id,
                name=dataset.name,
                items=counts.get(dataset.id, 0),
                people=record.label_events.count_by_person(dataset.id),
                done=sum(
                    standing.dataset.id == dataset.id and len(standing.said) >= found.project.overlap
                    for standing in all_standings
                ),
            )
            for dataset in datasets
        ],
        pairs=[
            PairView(people=pair.people, both=pair.both, agreed=pair.agreed, kappa=pair.kappa)
            for pair in agreements_of(all_standings)
        ],
        labelled=len(all_standings),
        open=sum(standing.is_open for standing in all_standings),
        settled=sum(standing.settled is not None for standing in all_standings),
    )


@router.post("/datasets/{did}/settlements", status_code=204)
def settle(wanted: NewSettlement, services: ServicesOf, found: DatasetEdited) -> None:
    """Say what stands for an item that people disagree about: an admin of the project. No label changes."""
    unknown = set(wanted.classes) - set(found.project.classes)
    if unknown:
        expected = ", ".join(found.project.classes)
        raise InvalidRequest(f"class {sorted(unknown)[0][:80]!r}; expected some of {expected}")
    if wanted.item not in services.record.label_datasets.find_items(found.dataset, [wanted.item]):
        raise NotFound(f"there is no item {wanted.item!r} in this data set")
    settlement = Settlement(
        wanted.id, wanted.item, tuple(sorted(wanted.classes)), found.caller.name, datetime.now(UTC)
    )
    services.record.settlements.add(found.dataset.id, settlement)


@router.get("/datasets/{did}/consensus", response_class=Response)
def consensus(
    services: ServicesOf,
    found: DatasetSeen,
    format: Literal["json", "csv"] = "json",  # noqa: A002
    min_votes: MinVotes = 1,
) -> Response:
    """What was settled, or else what most say. JSON as the old site's; CSV names the undecided, too."""
    decided = standings(services.record, found.dataset)
    write, media_type = (
        (consensus_csv, "text/csv") if format == "csv" else (consensus_json, "application/json")
    )
    return Response(
        write(decided, min_votes=min_votes),
        media_type=media_type,
        headers={"Content-Disposition": f'attachment; filename="{found.dataset.id}.consensus.{format}"'},
    )


@router.post("/freeze", status_code=201)
def freeze(
    wanted: Wanted, response: Response, services: ServicesOf, caller: Operator, found: ProjectSeen
) -> Created:
    """Freeze a data set of the project's labels; answers 200 where the same contents are on record."""
    del caller
    created = frozen(services, found, wanted)
    response.headers["Location"] = f"/v1/datasets/{created.dataset.name}"
    if created.existing:
        response.status_code = 200
    return created


def frozen(services: Services, found: InProject, wanted: Wanted) -> Created:
    """The same for a page."""
    card, existing = freeze_project(services, found, wanted)
    return Created(existing=existing, dataset=card)
