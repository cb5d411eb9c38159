"""Data sets: frozen from folders by class, from the old site's exports, or from the labels on record."""

from dataclasses import replace
from typing import Any, BinaryIO, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from api.dataset_freezing import Wanted, freeze_dataset
from api.dataset_intake import DataSetIntake
from api.services import Operator, Services, ServicesOf
from api.spool import spooled
from api.zip_stream import zip_stream
from core.dataset import DataSetCard, LabelledCutout, Split
from core.errors import InvalidRequest, TooLarge
from core.user import User
from cutouts.file_kinds import kind_of

router = APIRouter(prefix="/v1/datasets", tags=["datasets"])

_JSON_BYTES = 64 * 1024


class FromLabels(Wanted):
    """A data set of the labels on record."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    origin: Literal["labels"] = Field(alias="from")


class Created(BaseModel):
    """A data set; `existing` when the same contents were on record already, by whatever name."""

    existing: bool
    dataset: DataSetCard


class DataSets(BaseModel):
    """The newest first; what was left out is counted, and named in each one's own card."""

    datasets: list[DataSetCard]


_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
                        **Wanted.model_json_schema()["properties"],
                    },
                }
            },
            "application/json": {"schema": FromLabels.model_json_schema()},
        },
    }
}


@router.get("")
def list_datasets(services: ServicesOf) -> DataSets:
    """Every data set."""
    return DataSets(
        datasets=[
            replace(card, left_out=tuple(replace(found, names=()) for found in card.left_out))
            for card in services.record.datasets.all()
        ]
    )


@router.post("", status_code=201, openapi_extra=_BODY)
async def create_dataset(
    request: Request, response: Response, services: ServicesOf, caller: Operator
) -> Created:
    """Freeze a data set.

    A form brings files: images in folders that are called as the classes, or the old site's
    `{project}.json`, `{dataset}.{tag}.json` and images; zips of them count as folders. JSON with
    `{"from": "labels"}` takes the labels on record. Answers 200 where the same contents are on record.
    """
    async with spooled(request, services.spool_dir) as body:
        content_type = request.headers.get("Content-Type", "")
        created = await run_in_threadpool(_create, body, content_type, services, caller)
    response.headers["Location"] = f"/v1/datasets/{created.dataset.name}"
    if created.existing:
        response.status_code = 200
    return created


@router.get("/{name}")
def show_dataset(name: str, services: ServicesOf) -> DataSetCard:
    """The card of one data set."""
    return services.record.datasets.get(name)


@router.get("/{name}/left-out", response_class=Response)
def left_out(name: str, services: ServicesOf) -> Response:
    """All that was left out, a line each: the reason, a tab, the name."""
    report = services.record.blobs.get(services.record.datasets.get(name).report)
    return Response(report, media_type="text/tab-separated-values; charset=utf-8")


@router.get("/{name}/images", response_class=StreamingResponse)
def images(name: str, services: ServicesOf, split: Split | None = None) -> StreamingResponse:
    """The images as a zip, in folders that are called as the classes: all, or those of one split.

    An answer that breaks off is not complete.
    """
    card = services.record.datasets.get(name)
    items = services.record.datasets.items(name, split)
    members = (_member(card, item, services.record.blobs.get(item.sha256)) for item in items)
    file = f"{name}.{split}.zip" if split else f"{name}.zip"
    return StreamingResponse(
        zip_stream(members),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{file}"'},
    )


def _member(card: DataSetCard, item: LabelledCutout, data: bytes) -> tuple[str, bytes]:
    """Where an image lies in the zip, and its bytes."""
    return f"{card.classes[item.label]}/{item.id}{kind_of(data).suffix}", data


def _create(body: BinaryIO, content_type: str, services: Services, caller: User) -> Created:
    intake = DataSetIntake(services)
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        upload = intake.form(body, content_type)
        wanted = Wanted.model_validate(upload.fields)
        source, told = upload.told(wanted.known_classes())
        images = upload.images
    elif kind == "application/json":
        wanted = FromLabels.model_validate_json(_read_all(body))
        images, told = intake.labels(wanted.classifier)
        source = "labels"
    else:
        raise InvalidRequest(
            f"Content-Type {content_type[:80]!r} came; expected multipart/form-data or application/json"
        )
    card, existing = freeze_dataset(services.record, wanted, source, images, told, owner=caller.name)
    return Created(existing=existing, dataset=card)


def _read_all(body: BinaryIO) -> bytes:
    data = body.read(_JSON_BYTES + 1)
    if len(data) > _JSON_BYTES:
        raise TooLarge(f"over {_JSON_BYTES} bytes of JSON; expected images and labels in a form")
    return data
