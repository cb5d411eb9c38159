"""The calls of Zwickyverse, the predecessors' labelling site, so that its clients work against this one.

They do what those under /v1/projects do. A label that comes by them was given without a score in sight, as
that site showed none.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, BinaryIO, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from api.label_items import refuse_strange
from api.labelling_access import (
    DatasetEdited,
    DatasetLabelled,
    DatasetSeen,
    InDataset,
    ProjectEdited,
    ProjectSeen,
)
from api.project_editing import (
    add_dataset,
    add_project,
    change_project,
    remove_dataset,
    remove_member,
    remove_project,
    set_member,
)
from api.project_view import project_views
from api.routes.label_files import take_form
from api.services import Caller, Labeller, ServicesOf
from api.spool import spooled
from api.zip_stream import zip_stream
from api.zwickyverse_view import (
    class_counts,
    everybodys_labels,
    own_labels,
    pictures,
    project_document,
    time_tag,
)
from core.errors import CutoutRejected, InvalidRequest, TooLarge
from core.label_event import MOST_AT_ONCE, Said, Seen
from core.project import ProjectRole
from storage.label_datasets import item_id
from storage.record import Record

router = APIRouter(prefix="/projects", tags=["as on Zwickyverse"])

_MODE = "classify"
_NAMED = 5
_JSON_BYTES = 16 * 2**20
_SUCCESS = {"status": "success"}
Download = Literal["dataset", "classifications", "classifications_all_users"]


class NewProject(BaseModel):
    """A project; `classes` are words with spaces between them."""

    name: str
    description: str = ""
    classes: str


class ProjectChange(BaseModel):
    """Classes to add, a member to add with a role, a member or a class to remove."""

    classes: str | None = None
    add_user: str | None = None
    add_user_role: ProjectRole | None = None
    remove_user: str | None = None
    remove_class: str | None = None


class NewDataset(BaseModel):
    """A data set."""

    name: str
    description: str = ""


class Added(BaseModel):
    """What was made."""

    status: str = "success"
    project_id: str | None = Field(None, exclude_if=lambda value: value is None)
    dataset_id: str | None = Field(None, exclude_if=lambda value: value is None)


@router.get("")
def list_projects(services: ServicesOf, caller: Caller) -> JSONResponse:
    """The caller's projects."""
    projects = services.record.projects.of_user(caller)
    return JSONResponse([project_document(view) for view in project_views(services.record, projects, caller)])


@router.put("")
def create_project(new: NewProject, services: ServicesOf, caller: Labeller) -> Added:
    """A new project."""
    classes = new.classes.split()
    project = add_project(
        services.record, caller, name=new.name, description=new.description, classes=classes
    )
    return Added(project_id=project.id)


@router.get("/{pid}")
def show_project(services: ServicesOf, found: ProjectSeen) -> JSONResponse:
    """One project, as `{pid}.json`."""
    (view,) = project_views(services.record, [found.project], found.caller)
    return JSONResponse(project_document(view), headers=_named(f"{found.project.id}.json"))


@router.post("/{pid}")
def change(wanted: ProjectChange, services: ServicesOf, found: ProjectEdited) -> dict[str, str]:
    """Add classes or a member, remove one."""
    record, project = services.record, found.project
    classes = list(project.classes)
    classes += [name for name in (wanted.classes or "").split() if name not in classes]
    if wanted.remove_class is not None:
        classes = [name for name in classes if name != wanted.remove_class]
    if sorted(classes) != list(project.classes):
        change_project(record, found, classes=classes)
    if wanted.add_user is not None:
        set_member(record, found, wanted.add_user, wanted.add_user_role or "user")
    if wanted.remove_user is not None:
        remove_member(record, found, wanted.remove_user)
    return _SUCCESS


@router.delete("/{pid}")
def delete_project(services: ServicesOf, found: ProjectEdited) -> dict[str, str]:
    """Remove a project."""
    remove_project(services.record, found)
    return _SUCCESS


@router.put("/{pid}/datasets")
def create_dataset(new: NewDataset, services: ServicesOf, found: ProjectEdited) -> Added:
    """A new data set."""
    dataset = add_dataset(services.record, found, name=new.name, description=new.description)
    return Added(dataset_id=dataset.id)


@router.post("/{pid}/datasets/{did}", status_code=204)
async def upload(request: Request, services: ServicesOf, found: DatasetEdited) -> None:
    """Put images in; 422 names those that could not be taken in, beside which all others were."""
    async with spooled(request, services.spool_dir) as body:
        content_type = request.headers.get("Content-Type", "")
        taken = await run_in_threadpool(take_form, services, found, body, content_type)
    if taken.refused:
        some = "; ".join(f"{name}: {fault}" for name, fault in taken.refused[:_NAMED])
        detail = (
            f"{len(taken.refused)} files were not taken in, the {taken.new + taken.known} others were: {some}"
        )
        raise CutoutRejected("upload", "refused", detail)


@router.get("/{pid}/datasets/{did}")
def download(
    services: ServicesOf,
    found: DatasetSeen,
    what: Annotated[Download, Query(alias="download")],
    form: Annotated[Literal["zip", "json"] | None, Query(alias="format")] = None,
) -> Response:
    """The images as a zip, the caller's labels, or everybody's."""
    record, dataset = services.record, found.dataset
    expected = "zip" if what == "dataset" else "json"
    if form not in (None, expected):
        raise InvalidRequest(f"format {form}; expected {expected} for {what}")
    if what == "dataset":
        return StreamingResponse(
            zip_stream(pictures(record, dataset)),
            media_type="application/zip",
            headers=_named(f"{dataset.id}.{time_tag()}.zip"),
        )
    if what == "classifications":
        own = own_labels(record, dataset, found.caller.name)
        return JSONResponse(own, headers=_named(f"{dataset.id}.{found.caller.name}.json"))
    everybody = everybodys_labels(record, dataset)
    return JSONResponse(everybody, headers=_named(f"{dataset.id}.{time_tag()}.json"))


@router.delete("/{pid}/datasets/{did}")
def delete_dataset(services: ServicesOf, found: DatasetEdited) -> dict[str, str]:
    """Remove a data set."""
    remove_dataset(services.record, found)
    return _SUCCESS


@router.get("/{pid}/datasets/{did}/classify")
def classified(services: ServicesOf, found: DatasetSeen) -> JSONResponse:
    """The caller's labels, by file name."""
    return JSONResponse(own_labels(services.record, found.dataset, found.caller.name))


@router.post("/{pid}/datasets/{did}/classify")
async def classify(request: Request, services: ServicesOf, found: DatasetLabelled) -> dict[str, str]:
    """Label files, by name: all, or none with what is wrong. A file with no class keeps what it has."""
    async with spooled(request, services.spool_dir) as body:
        given = _labels(body)
    await run_in_threadpool(_say, services.record, found, {name: own for name, own in given.items() if own})
    return _SUCCESS


@router.delete("/{pid}/datasets/{did}/classify")
def reset(services: ServicesOf, found: DatasetLabelled) -> dict[str, str]:
    """Take back all that the caller said of the data set."""
    own = own_labels(services.record, found.dataset, found.caller.name)
    _say(services.record, found, {name: [] for name in own})
    return _SUCCESS


@router.get("/{pid}/datasets/{did}/inspect")
def inspect(services: ServicesOf, found: DatasetSeen) -> JSONResponse:
    """How many people gave which class, by file name."""
    return JSONResponse(class_counts(services.record, found.dataset))


def _say(record: Record, found: InDataset, labels: Mapping[str, Sequence[str]]) -> None:
    """Record as events what differs from what the caller says already."""
    ids = {name: item_id(name) for name in labels}
    known = record.label_datasets.find_items(found.dataset, list(ids.values()))
    strange = [name for name, item in ids.items() if item not in known]
    if strange:
        raise InvalidRequest(f"file {strange[0][:80]!r} is not in this data set; nothing was recorded")
    before = own_labels(record, found.dataset, found.caller.name)
    events = [
        Said(
            id=f"{_MODE}-{secrets.token_hex(12)}",
            item=ids[name],
            classes=tuple(sorted(set(classes))),
            at=datetime.now(UTC),
            seen=Seen(mode=_MODE),
        )
        for name, classes in labels.items()
        if sorted(set(classes)) != before.get(name, [])
    ]
    refuse_strange(record, found, events)
    for start in range(0, len(events), MOST_AT_ONCE):
        record.label_events.add(found.dataset.id, found.caller.name, events[start : start + MOST_AT_ONCE])


def _labels(body: BinaryIO) -> dict[str, list[str]]:
    data = body.read(_JSON_BYTES + 1)
    if len(data) > _JSON_BYTES:
        raise TooLarge(f"over {_JSON_BYTES} bytes of labels; expected fewer at a time")
    try:
        given: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"the body can't be read: {error}; expected JSON") from error
    if not isinstance(given, dict) or not all(map(_is_labels, given.values())):
        raise InvalidRequest('expected JSON such as {"file.jpg": ["streak"]}')
    return given


def _is_labels(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _named(file: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{file}"'}
