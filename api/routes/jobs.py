"""Jobs: how far they are, what came out, and cancelling them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from api.job_view import JobView, view_of, views_of
from api.services import Operator, Services, ServicesOf
from core.decision import classifier_of
from core.errors import Conflict, NotAllowed, NotFound
from core.job import Job, JobState
from core.user import User
from storage.results import Cursor, Result, read_results
from tasks.owed import tell_owed
from tasks.submit import TOLD_AT_ONCE
from tasks.submit_rescore import RANKS

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


class Jobs(BaseModel):
    """Newest first; `next` is the cursor of the next page."""

    jobs: list[JobView]
    next: str | None


@router.get("")
def list_jobs(
    services: ServicesOf, cursor: str | None = None, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> Jobs:
    """Everybody's jobs."""
    found = services.record.jobs.newest(limit, before=cursor)
    more = found[-1].id if len(found) == limit else None
    return Jobs(jobs=views_of(services.record, found), next=more)


@router.get("/{job_id}", response_model=JobView)
async def show_job(job_id: str, services: ServicesOf) -> Response:
    """One job."""
    view = await services.job_views.ask(job_id)
    return Response(view.as_json, media_type="application/json")


class Changes(BaseModel):
    """What may be changed of a job that has not ended."""

    model_config = ConfigDict(extra="forbid")
    paused: bool | None = None
    rank: int | None = Field(None, ge=RANKS[0], le=RANKS[-1])


@router.patch("/{job_id}")
def change_job(job_id: str, changes: Changes, services: ServicesOf, caller: Operator) -> JobView:
    """Pause a job, let it go on, or move it before or behind others. What is scored stays."""
    job = _own_job(services, job_id, caller)
    if job.kind == "train":
        raise Conflict(f"job {job_id} trains; expected one that scores")
    jobs, shards = services.record.jobs, services.record.shards
    if changes.paused is not None:
        _refuse_ended(job, jobs.set_paused(job_id, paused=changes.paused))
        (shards.pause if changes.paused else shards.unpause)(job_id)
        if not changes.paused:
            tell_owed(services.record, services.messenger, job.priority, window=TOLD_AT_ONCE)
    if changes.rank is not None:
        _refuse_ended(job, jobs.set_rank(job_id, changes.rank))
        shards.set_rank(job_id, changes.rank)
    return view_of(services.record, job_of(services, job_id))


@router.delete("/{job_id}")
def cancel_job(job_id: str, services: ServicesOf, caller: Operator) -> JobView:
    """Stop a job; what is scored stays. Harmless when cancelled before, a conflict when it is finished."""
    _own_job(services, job_id, caller)
    cancelled = services.record.jobs.cancel(job_id)
    job = job_of(services, job_id)
    if not cancelled and job.state is not JobState.CANCELLED:
        raise Conflict(f"job {job_id} is {job.state} already and can't be cancelled")
    services.record.shards.cancel(job_id)
    services.record.trainings.cancel(job_id)
    return view_of(services.record, job)


@router.get("/{job_id}/results")
def job_results(
    job_id: str,
    services: ServicesOf,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    pending: bool = False,
) -> JSONResponse:
    """Results in the order of the items. Those without an outcome yet are left out unless `pending` is true.

    `rb` and `sl` (and any other family of the settings or of the job) are the highest scores of a family,
    null where the job asked none of it, and `versions` says whose they are. `not_run` names the versions that
    a cascade did not ask. Where the job asked several
    versions of a family, `scores` holds the score of each.
    """
    job = job_of(services, job_id)
    page = read_results(services.record, job, start=Cursor.parse(cursor), limit=limit, pending=pending)
    classifiers = list(dict.fromkeys([*services.settings.families, *map(classifier_of, job.versions)]))
    several = len(job.versions) > len(set(map(classifier_of, job.versions)))
    results = [
        _result(result, classifiers) | ({"scores": result.scores} if several else {})
        for result in page.results
    ]
    return JSONResponse({"results": results, "next": None if page.next is None else str(page.next)})


def _own_job(services: Services, job_id: str, caller: User) -> Job:
    """A job that this caller may change."""
    job = job_of(services, job_id)
    if caller.role != "admin" and caller.name != job.owner:
        raise NotAllowed(f"job {job_id} is {job.owner}'s; expected its owner or an administrator")
    return job


def _refuse_ended(job: Job, changed: bool) -> None:
    if not changed:
        raise Conflict(f"job {job.id} has ended and can't be changed")


def job_of(services: Services, job_id: str) -> Job:
    """A job; raises NotFound."""
    job = services.record.jobs.get(job_id)
    if job is None:
        raise NotFound(f"there is no job {job_id!r}")
    return job


def _result(result: Result, classifiers: list[str]) -> dict[str, Any]:
    best = {classifier: result.best(classifier) for classifier in classifiers}
    answer: dict[str, Any] = {"file": result.name, "id": result.cutout}
    answer |= {classifier: None if found is None else found[1] for classifier, found in best.items()}
    answer |= {
        "versions": {classifier: found[0] for classifier, found in best.items() if found is not None},
        "plausible": result.plausible,
        "rejection": None if result.rejection is None else vars(result.rejection),
        "instrument": result.instrument,
    }
    if result.not_run:
        answer["not_run"] = list(result.not_run)
    if result.uncalibrated:
        answer["uncalibrated"] = [vars(departure) for departure in result.uncalibrated]
    return answer | {"pending": True} if result.pending else answer
