"""What one version changes against another on cutouts whose truth nobody knows."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from api.routes.exports import FilterOf
from api.services import ServicesOf
from api.web.changes_page import changes_page
from core.errors import NotFound
from storage.score_changes import cutout_changes, score_changes

router = APIRouter(prefix="/v1", tags=["jobs"])

Form = Literal["json", "html"]
ThresholdOf = Annotated[
    float | None, Query(gt=0, lt=1, description="that both decide by; without it each by its own")
]
FormOf = Annotated[
    Form | None, Query(alias="format", description="json, or html: one file; without it, as Accept says")
]
_DESCRIBED: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {}, "text/html": {}}}}


@router.get("/jobs/{job_id}/changes", response_class=Response, responses=_DESCRIBED)
async def job_changes(
    job_id: str,
    before: str,
    after: str,
    request: Request,
    services: ServicesOf,
    threshold: ThresholdOf = None,
    form: FormOf = None,
) -> Response:
    """Deltas of the scores, flipped decisions and the most changed cutouts of a job, by two versions."""

    def compared() -> Response:
        job = services.record.jobs.get(job_id)
        if job is None:
            raise NotFound(f"there is no job {job_id!r}")
        found = score_changes(services.record, job, before, after, threshold=threshold)
        if _as_page(request, form):
            return changes_page(services, found, subject=f"cutouts of job {job_id}", at=datetime.now(UTC))
        return JSONResponse({"job": job_id, **asdict(found)})

    return await services.scans.run(compared)


@router.get("/cutouts/changes", response_class=Response, responses=_DESCRIBED)
async def changes(
    before: str,
    after: str,
    request: Request,
    services: ServicesOf,
    text: FilterOf = "",
    threshold: ThresholdOf = None,
    form: FormOf = None,
) -> Response:
    """The same of the cutouts that a filter is true of; without one, of all that both have scored."""

    def compared() -> Response:
        found = cutout_changes(services.record, text, before, after, threshold=threshold)
        if _as_page(request, form):
            subject = f"cutouts that {text} is true of" if text else "all cutouts on record"
            return changes_page(services, found, subject=subject, at=datetime.now(UTC))
        return JSONResponse({"filter": text, **asdict(found)})

    return await services.scans.run(compared)


def _as_page(request: Request, form: Form | None) -> bool:
    return form == "html" or (form is None and "text/html" in request.headers.get("Accept", ""))
