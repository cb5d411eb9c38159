"""Jobs: what is asked for, how far it is, what came out of it, and stopping it."""

from itertools import islice
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.job_view import view_of
from api.routes.jobs import Changes, cancel_job, change_job, job_of, list_jobs
from api.services import Caller, Operator, ServicesOf
from api.web.rendering import page
from core.job import Job
from core.user import User
from storage.record import Record
from storage.results import Result, results_by_shard, results_of_shards

router = APIRouter(include_in_schema=False)

PER_PAGE = 40
SHOWN = 60
"""Cutouts, and rejections, that a job's page shows."""
SHARDS_LOOKED_AT = 40


@router.get("/jobs")
def jobs(
    request: Request,
    services: ServicesOf,
    caller: Caller,
    before: Annotated[str | None, Query(max_length=40)] = None,
) -> Response:
    """Everybody's, newest first."""
    del caller
    found = list_jobs(services, cursor=before, limit=PER_PAGE)
    return page(request, "jobs.html", jobs=found.jobs, following=found.next, is_first=before is None)


@router.get("/jobs/{job_id}")
def job(request: Request, job_id: str, services: ServicesOf, caller: Caller) -> Response:
    """One job, with its first results and rejections as pictures."""
    known = job_of(services, job_id)
    view = view_of(services.record, known)
    results, rejected = _outcomes(services.record, known)
    return page(
        request,
        "job.html",
        job=view,
        results=results,
        rejected=rejected,
        documents=_documents(services.record, [*results, *rejected]),
        may_change=not view.state.ended and _may_change(caller, view.owner),
    )


@router.post("/jobs/{job_id}/{change}")
def change(
    job_id: str,
    change: Literal["pause", "resume", "cancel"],
    services: ServicesOf,
    caller: Operator,
) -> Response:
    """Pause a job, let it go on, or cancel it: the owner or an administrator."""
    if change == "cancel":
        cancel_job(job_id, services, caller)
    else:
        change_job(job_id, Changes(paused=change == "pause", rank=None), services, caller)
    return RedirectResponse(f"/jobs/{job_id}", 303)


def _may_change(caller: User, owner: str) -> bool:
    return caller.role == "admin" or (caller.may("operator") and caller.name == owner)


def _outcomes(record: Record, job: Job) -> tuple[list[Result], list[Result]]:
    """The best scored of the first shards' results, and the first rejections of the whole job."""
    if job.kind == "train":
        return [], []
    thresholds = record.models.thresholds(job.versions)
    shards = islice(results_by_shard(record, job, thresholds), SHARDS_LOOKED_AT)
    scored = sorted((r for shard in shards for r in shard if r.scores), key=_height, reverse=True)
    numbers = record.shards.with_rejections(job.id, limit=SHOWN)
    with_some = results_of_shards(record, job, numbers, thresholds)
    rejected = (r for shard in with_some for r in shard if r.rejection is not None)
    return scored[:SHOWN], list(islice(rejected, SHOWN))


def _height(result: Result) -> tuple[bool, float]:
    return bool(result.plausible), max(result.scores.values())


def _documents(record: Record, results: list[Result]) -> dict[str, str]:
    """The sha256 of the bytes by the cutout's id, of those that are stored."""
    known = record.cutouts.known([r.cutout for r in results if r.cutout is not None])
    return {cutout: found.sha256 for cutout, found in known.items() if found.sha256 is not None}
