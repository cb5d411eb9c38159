"""Filling data sets of labelling projects: with files, and with cutouts on record."""

from collections.abc import Sequence
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.concurrency import run_in_threadpool

from api.dataset_intake import DataSetIntake
from api.label_upload import MOST_ITEMS, Picture, Taken, recorded, take_in, uploaded
from api.labelling_access import DatasetEdited, DatasetSeen, InDataset
from api.services import Services, ServicesOf
from api.spool import spooled
from core.errors import InvalidRequest, NotFound
from core.filters.grammar import MAX_LENGTH
from core.job import Item
from storage.results import job_items
from storage.selection import bound_text, selected

router = APIRouter(prefix="/v1/projects/{pid}/datasets/{did}", tags=["labelling"])

_MOST_NAMED = 1000
FILES_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "files": {"type": "array", "items": {"type": "string", "format": "binary"}}
                    },
                }
            }
        },
    }
}


class Refused(BaseModel):
    """A file or cutout that could not be taken in, and why."""

    name: str
    fault: str


class TakenView(BaseModel):
    """How many are new, how many were there already, and what was refused: all counted, the first thousand
    named; `more` where the request named more cutouts than it may bring.
    """

    new: int
    known: int
    refused: int
    faults: list[Refused]
    more: bool = False


class FromRecord(BaseModel):
    """Cutouts on record: by their ids, by a filter, or those of a job. One of the three."""

    model_config = ConfigDict(extra="forbid")
    cutouts: Annotated[list[str], Field(max_length=5000)] | None = None
    filter: Annotated[str, Field(max_length=MAX_LENGTH)] | None = None
    job: Annotated[str, Field(max_length=64)] | None = None
    limit: Annotated[int, Field(ge=1, le=MOST_ITEMS, description="by id, or in the job's order")] = 5000

    @model_validator(mode="after")
    def _one(self) -> "FromRecord":
        if sum(given is not None for given in (self.cutouts, self.filter, self.job)) != 1:
            raise ValueError("expected cutouts, a filter or a job, one of them")
        return self


class Faults(BaseModel):
    """By name."""

    faults: list[Refused]


@router.post("/files", openapi_extra=FILES_BODY)
async def upload_files(request: Request, services: ServicesOf, found: DatasetEdited) -> TakenView:
    """Put images in, and images in zips. The same file again changes nothing."""
    async with spooled(request, services.spool_dir) as body:
        content_type = request.headers.get("Content-Type", "")
        taken = await run_in_threadpool(take_form, services, found, body, content_type)
    return _view(taken)


@router.post("/items")
def add_recorded(wanted: FromRecord, services: ServicesOf, found: DatasetEdited) -> TakenView:
    """Put cutouts on record in. Those that are in already change nothing."""
    items, more = _wanted(services, wanted)
    images = DataSetIntake(services).recorded([str(item.cutout) for item in items])
    named = wanted.job is not None
    pictures = [
        recorded(services.record, image, name=item.name if named else None)
        for image, item in zip(images, items, strict=True)
    ]
    taken = take_in(services.record, found.dataset, pictures, origin=_origin(wanted))
    return _view(taken, more=more)


@router.get("/faults")
def list_faults(services: ServicesOf, found: DatasetSeen) -> Faults:
    """The files that could not be taken in, until one of the same name is."""
    faults = services.record.label_datasets.faults(found.dataset)
    return Faults(faults=[Refused(name=fault.name, fault=fault.fault) for fault in faults])


def take_form(services: Services, found: InDataset, body: BinaryIO, content_type: str) -> Taken:
    """The images of a form."""
    if content_type.partition(";")[0].strip().lower() != "multipart/form-data":
        raise InvalidRequest(f"Content-Type {content_type[:80]!r} came; expected multipart/form-data")
    upload = DataSetIntake(services).form(body, content_type)
    pictures: Sequence[Picture] = list(map(uploaded, upload.images))
    no_images = [*upload.not_used, *upload.documents]
    if not pictures and not no_images:
        raise InvalidRequest("no file came; expected at least one image")
    return take_in(services.record, found.dataset, pictures, origin="files", no_images=no_images)


def _wanted(services: Services, wanted: FromRecord) -> tuple[list[Item], bool]:
    """Cutouts of the record that are meant, `limit` at most, and whether there are more."""
    record = services.record
    if wanted.cutouts is not None:
        ids = list(dict.fromkeys(wanted.cutouts))
        return [Item(name=cutout, cutout=cutout) for cutout in ids], False
    if wanted.filter is not None:
        found = selected(record, bound_text(record, wanted.filter))
    else:
        job = record.jobs.get(str(wanted.job))
        if job is None:
            raise NotFound(f"there is no job {str(wanted.job)!r}")
        found = job_items(record, job)
    items: list[Item] = []
    for item in found:
        if len(items) == wanted.limit:
            return items, True
        items.append(item)
    return items, False


def _origin(wanted: FromRecord) -> str:
    if wanted.cutouts is not None:
        return "a selection"
    return f"job {wanted.job}" if wanted.job is not None else f"filter {wanted.filter or 'everything'}"


def _view(taken: Taken, *, more: bool = False) -> TakenView:
    faults = [Refused(name=name, fault=fault) for name, fault in taken.refused[:_MOST_NAMED]]
    return TakenView(new=taken.new, known=taken.known, refused=len(taken.refused), faults=faults, more=more)
