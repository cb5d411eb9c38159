"""Projects as archives: exported with pictures and everybody's labels, and imported with their ids."""

import json
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import BinaryIO

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from api.dataset_intake import DataSetIntake
from api.labelling_access import InProject, ProjectSeen
from api.project_import import FOREIGN, Imported, import_project
from api.project_view import project_views
from api.routes.label_files import FILES_BODY, Refused
from api.services import Labeller, Services, ServicesOf
from api.spool import spooled
from api.zip_stream import zip_stream
from api.zwickyverse_view import labels_by_person, pictures, project_document, time_tag
from core.errors import InvalidRequest
from core.user import User
from storage.record import Record

router = APIRouter(prefix="/v1/projects", tags=["labelling"])

_MOST_NAMED = 1000


class ImportedView(BaseModel):
    """The project; pictures that are new and that were there; labels that are new; what was refused, all
    counted, the first thousand named.
    """

    project: str
    new: int
    known: int
    labels: int
    refused: int
    faults: list[Refused]


@router.post("/import", status_code=201, openapi_extra=FILES_BODY)
async def import_archive(
    request: Request, response: Response, services: ServicesOf, caller: Labeller
) -> ImportedView:
    """Take in `{project}.json`, `{dataset}.{person or time}.json` and pictures in `{dataset}/` or its zip."""
    async with spooled(request, services.spool_dir) as body:
        content_type = request.headers.get("Content-Type", "")
        imported = await run_in_threadpool(_take_in, services, caller, body, content_type)
    response.headers["Location"] = f"/v1/projects/{imported.project}"
    return ImportedView(
        project=imported.project,
        new=imported.new,
        known=imported.known,
        labels=imported.labels,
        refused=len(imported.refused),
        faults=[Refused(name=name, fault=fault) for name, fault in imported.refused[:_MOST_NAMED]],
    )


@router.get("/{pid}/export", response_class=StreamingResponse)
def export(services: ServicesOf, found: ProjectSeen) -> StreamingResponse:
    """All of a project as a zip that can be imported. An answer that breaks off is not complete."""
    file = f"{found.project.id}.{time_tag()}.zip"
    return StreamingResponse(
        zip_stream(_members(services.record, found)),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{file}"'},
    )


def _take_in(services: Services, caller: User, body: BinaryIO, content_type: str) -> Imported:
    if content_type.partition(";")[0].strip().lower() != "multipart/form-data":
        raise InvalidRequest(f"Content-Type {content_type[:80]!r} came; expected multipart/form-data")
    return import_project(services.record, caller, DataSetIntake(services).form(body, content_type))


def _members(record: Record, found: InProject) -> Iterator[tuple[str, bytes]]:
    (view,) = project_views(record, [found.project], found.caller)
    yield (
        f"{view.id}.json",
        _json(project_document(view) | {"classifier": view.classifier, "overlap": view.overlap}),
    )
    for dataset in record.label_datasets.of_projects([view.id]):
        for person, labels in labels_by_person(record, dataset).items():
            name = PurePosixPath(f"{dataset.id}.{person.removeprefix(FOREIGN)}.json")
            yield str(name), _json(labels)
        yield from pictures(record, dataset, folder=f"{dataset.id}/")


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode()
