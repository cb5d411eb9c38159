"""Labelling by hand: a grid of pictures, or one after the other."""

from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from api.labelling_access import DatasetLabelled
from api.project_view import dataset_views
from api.routes.label_queue import AskedQueue
from api.services import ServicesOf
from api.web.rendering import page
from core.label_queue import OPEN_KINDS, QueueKind
from core.legacy import is_legacy
from core.project import Project
from storage.record import Record

router = APIRouter(include_in_schema=False)

QUEUES: dict[QueueKind, str] = {
    "unlabelled": "not labelled yet, by score",
    "uncertain": "the network is uncertain",
    "contradicted": "the network against my label",
    "disagreeing": "two networks disagree",
    "random": "random, as a control",
    "labelled": "labelled by me, latest first",
}


class AskedPage(AskedQueue):
    """The queue, and how it is shown; without a version that in production is asked."""

    mode: Literal["grid", "single"] = "grid"

    def query(self) -> str:
        """What the page's script asks the queue for."""
        return urlencode(self.model_dump(exclude={"mode"}))


@router.get("/projects/{pid}/datasets/{did}/label")
def label(
    request: Request, services: ServicesOf, found: DatasetLabelled, asked: Annotated[AskedPage, Query()]
) -> Response:
    """The page; its script asks for the queue and sends what is pressed."""
    record, project = services.record, found.project
    if "version" not in asked.model_fields_set:
        asked = asked.model_copy(update={"version": _in_production(record, project)})
    mine = record.label_events.count_by_person(found.dataset.id).get(found.caller.name, 0)
    return page(
        request,
        "label.html",
        project=project,
        dataset=dataset_views(record, [found.dataset])[0],
        base=f"/v1/projects/{project.id}/datasets/{found.dataset.id}",
        above=f"/projects/{project.id}",
        asked=asked,
        kinds=QUEUES,
        versions=_versions(record, project),
        mine=mine,
        shared=project.overlap > 0 and asked.kind in OPEN_KINDS,
        in_production=asked.version in record.models.production(),
    )


def _versions(record: Record, project: Project) -> list[str]:
    """The networks that may order the items: of the project's classifier, or all where it is for none."""
    known = [card.version for card, _ in record.models.all() if not is_legacy(card.version)]
    return [version for version in known if project.classifier in (None, version.partition("@")[0])]


def _in_production(record: Record, project: Project) -> str:
    versions = _versions(record, project) if project.classifier else []
    return next((version for version in record.models.production() if version in versions), "")
