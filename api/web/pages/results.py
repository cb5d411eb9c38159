"""Results: cutouts with their scores, in the order of one of them."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse

from api.routes.exports import MOST_CHOSEN, ChosenCutouts, export_some
from api.services import Caller, ServicesOf
from api.web.expected import expected
from api.web.rendering import page_in_parts
from api.web.results_query import SIZES, Controls, as_filter, sought
from core.errors import InvalidRequest, Unavailable
from storage.grid import ANY, count, is_anything_scored, nights, read_page, rejection_reasons

router = APIRouter(include_in_schema=False)

ControlsOf = Annotated[Controls, Query()]


@router.get("/results")
def results(request: Request, services: ServicesOf, caller: Caller, controls: ControlsOf) -> Response:
    """The page; for a script that has changed a control, the pictures alone."""
    del caller
    record, fault, found = services.record, None, None
    try:
        found = read_page(record, sought(record, controls), after=controls.after, limit=controls.size)
    except InvalidRequest as error:
        fault = str(error)
    return page_in_parts(
        request,
        "_grid.html" if "HX-Request" in request.headers else "results.html",
        controls=controls,
        cutouts=[] if found is None else found.cutouts,
        following=None if found is None else found.next,
        fault=fault,
        nights=nights(record),
        versions=[card.version for card, _ in record.models.all()],
        words=as_filter(controls),
        sizes=SIZES,
        any_rejection=ANY,
        reasons=rejection_reasons(record),
        expected=expected(record),
        is_first_run=not is_anything_scored(record),
    )


@router.post("/results/export", response_class=StreamingResponse)
async def export_chosen(
    services: ServicesOf, caller: Caller, ids: Annotated[str, Form(max_length=MOST_CHOSEN * 300)]
) -> StreamingResponse:
    """The cutouts that were selected, an id on each line, as CSV in the order of their ids."""
    del caller
    return await export_some(ChosenCutouts(ids=ids.splitlines()), services)


@router.get("/results/count")
async def counted(services: ServicesOf, caller: Caller, controls: ControlsOf) -> HTMLResponse:
    """How many cutouts the controls ask for, as a text."""
    del caller
    try:
        found = await services.scans.run(lambda: count(services.record, sought(services.record, controls)))
    except (InvalidRequest, Unavailable):
        return HTMLResponse("–")
    if found.number is None:
        return HTMLResponse("many")
    return HTMLResponse(f"{found.number:,}{' or more' if found.at_least else ''}")
