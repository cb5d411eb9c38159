"""A project's agreement: progress, kappas, what is to be settled; from labels to a training in one click."""

import secrets
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.dataset_freezing import Wanted
from api.label_consensus import freeze_project, project_standings
from api.label_items import picture_of
from api.labelling_access import DatasetEdited, InProject, ProjectEdited, ProjectSeen
from api.project_editing import change_project
from api.routes.label_agreement import NewSettlement, settle, show_agreement
from api.routes.training import WantedTraining, submit_training
from api.services import Operator, Services, ServicesOf
from api.web.rendering import page
from core.errors import CallerError
from core.training import ARCHITECTURES
from storage.label_agreement import standings

router = APIRouter(include_in_schema=False)

SHOWN = 48
"""Items that the page shows; those that are settled make room for the next ones."""

Show = Literal["open", "settled"]


@router.get("/projects/{pid}/agreement")
def agreement(
    request: Request,
    services: ServicesOf,
    found: ProjectSeen,
    show: Annotated[Show, Query()] = "open",
    frozen: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """The page, with the first of what is to be settled, or of what was."""
    return _page(request, services, found, show=show, frozen=frozen)


@router.post("/projects/{pid}/datasets/{did}/settle")
def settled(
    request: Request,
    services: ServicesOf,
    found: DatasetEdited,
    item: Annotated[str, Form(max_length=64)],
    name: Annotated[str, Form(max_length=64)] = "",
) -> Response:
    """Settle one item, or take it back without a class; for htmx the item as it stands now."""
    wanted = NewSettlement(id=secrets.token_hex(16), item=item, classes=[name] if name else [])
    settle(wanted, services, found)
    if "HX-Request" not in request.headers:
        return RedirectResponse(f"/projects/{found.project.id}/agreement", 303)
    (standing,) = (s for s in standings(services.record, found.dataset) if s.item.id == item)
    return page(
        request,
        "_standing.html",
        project=found.project,
        standing=standing,
        picture_of=picture_of,
        may_settle=True,
    )


@router.post("/projects/{pid}/overlap")
def overlap(
    services: ServicesOf, found: ProjectEdited, people: Annotated[int, Form(ge=0, le=1000)]
) -> Response:
    """Say how many people are to label each item."""
    change_project(services.record, found, overlap=people)
    return RedirectResponse(f"/projects/{found.project.id}/agreement", 303)


@router.post("/projects/{pid}/freeze")
def freeze(
    request: Request,
    services: ServicesOf,
    caller: Operator,
    found: ProjectSeen,
    name: Annotated[str, Form(max_length=64)],
    classifier: Annotated[str, Form(max_length=32)],
    min_votes: Annotated[int, Form(ge=1, le=1000)] = 1,
    architecture: Annotated[str, Form(max_length=32)] = "vgg6",
    epochs: Annotated[int | None, Form(ge=1, le=1000)] = None,
    train: Annotated[bool, Form()] = False,
) -> Response:
    """Freeze a data set of the project's labels, and where it is wanted submit a training on it."""
    try:
        wanted = Wanted(name=name, classifier=classifier, min_votes=min_votes)
        card, _ = freeze_project(services, found, wanted)
        if not train:
            return RedirectResponse(f"/projects/{found.project.id}/agreement?frozen={card.name}", 303)
        training = WantedTraining(
            classifier=classifier, dataset=card.name, architecture=architecture, epochs=epochs
        )
        job = submit_training(training, Response(), services, caller).job
    except CallerError as error:
        return _page(request, services, found, fault=str(error), status=400)
    return RedirectResponse(f"/jobs/{job}", 303)


def _page(
    request: Request,
    services: Services,
    found: InProject,
    *,
    show: Show = "open",
    frozen: str | None = None,
    fault: str | None = None,
    status: int = 200,
) -> Response:
    known = project_standings(services, found.project)
    wanted = [s for s in known if (s.is_open if show == "open" else s.settled is not None)]
    classifier = found.project.classifier or ""
    return page(
        request,
        "agreement.html",
        status=status,
        fault=fault,
        project=found.project,
        view=show_agreement(services, found),
        show=show,
        standings=wanted[:SHOWN],
        picture_of=picture_of,
        may_settle=found.may_edit(),
        frozen=None if frozen is None else services.record.datasets.get(frozen),
        classifier=classifier,
        proposed=f"{classifier or 'labels'}-{datetime.now(UTC):%Y.%m.%d}",
        architectures=ARCHITECTURES,
    )
