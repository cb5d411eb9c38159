"""A data set of a labelling project: its pictures, how far people are, and filling it."""

from collections import Counter, defaultdict
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.label_items import picture_of
from api.labelling_access import DatasetEdited, DatasetSeen, InDataset
from api.project_editing import change_dataset, refuse_other_name, remove_dataset
from api.project_view import dataset_views
from api.routes.label_scoring import submit_scoring
from api.services import Operator, Services, ServicesOf
from api.web.browser_route import BrowserRoute
from api.web.rendering import page
from core.errors import CallerError
from core.project import LONGEST_DESCRIPTION, LONGEST_NAME, LabelItem

router = APIRouter(prefix="/projects/{pid}/datasets/{did}", include_in_schema=False)
pages = APIRouter(prefix="/projects/{pid}/datasets/{did}", include_in_schema=False, route_class=BrowserRoute)

SHOWN = 120
"""Pictures of one page."""
FAULTS = 200
"""Files that could not be taken in, as far as the page names them."""


@pages.get("")
def dataset(
    request: Request,
    services: ServicesOf,
    found: DatasetSeen,
    after: Annotated[str | None, Query(max_length=255)] = None,
) -> Response:
    """The page, with the pictures after a name."""
    return _page(request, services, found, after=after)


@router.post("/edit")
def edit(
    request: Request,
    services: ServicesOf,
    found: DatasetEdited,
    name: Annotated[str, Form(max_length=1000)],
    description: Annotated[str, Form(max_length=10_000)] = "",
) -> Response:
    """Change its name and description."""
    try:
        change_dataset(services.record, found, name=name, description=description)
    except CallerError as error:
        return _page(request, services, found, fault=str(error))
    return RedirectResponse(f"/projects/{found.project.id}/datasets/{found.dataset.id}", 303)


@router.post("/score")
def score(request: Request, services: ServicesOf, found: DatasetSeen, caller: Operator) -> Response:
    """Submit what has no score yet, and go to the job."""
    del caller
    try:
        job = submit_scoring(services, found)
    except CallerError as error:
        return _page(request, services, found, fault=str(error))
    return RedirectResponse(f"/jobs/{job.id}", 303)


@router.post("/remove")
def remove(
    request: Request, services: ServicesOf, found: DatasetEdited, name: Annotated[str, Form(max_length=1000)]
) -> Response:
    """Remove it, if its name was typed."""
    try:
        refuse_other_name(name, found.dataset.name)
    except CallerError as error:
        return _page(request, services, found, fault=str(error))
    remove_dataset(services.record, found)
    return RedirectResponse(f"/projects/{found.project.id}", 303)


def _page(
    request: Request,
    services: Services,
    found: InDataset,
    *,
    after: str | None = None,
    fault: str | None = None,
) -> Response:
    record = services.record
    items = list(record.label_datasets.items(found.dataset, after=after, limit=SHOWN + 1))
    shown, rest = items[:SHOWN], items[SHOWN:]
    faults = record.label_datasets.faults(found.dataset)
    return page(
        request,
        "label_dataset.html",
        status=200 if fault is None else 400,
        project=found.project,
        dataset=dataset_views(record, [found.dataset])[0],
        may_edit=found.may_edit(),
        may_label=found.may_label(),
        people=record.label_events.count_by_person(found.dataset.id),
        pictures=[(item, picture_of(item)) for item in shown],
        said=_said(services, found, shown),
        is_first=after is None,
        following=shown[-1].name if rest else None,
        faults=faults[:FAULTS],
        fault_count=len(faults),
        fault=fault,
        longest_name=LONGEST_NAME,
        longest_description=LONGEST_DESCRIPTION,
    )


def _said(services: Services, found: InDataset, items: list[LabelItem]) -> dict[str, str]:
    """By item, which classes how many people gave."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for label in services.record.label_events.labels(found.dataset.id, items=[item.id for item in items]):
        counts[label.item].update(label.classes)
    return {
        item: ", ".join(f"{name} {n}" if n > 1 else name for name, n in sorted(given.items()))
        for item, given in counts.items()
    }
