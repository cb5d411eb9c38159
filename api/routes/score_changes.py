"""What one version changes against another on cutouts whose truth nobody knows."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.routes.exports import FilterOf
from api.services import ServicesOf
from core.errors import NotFound
from storage.score_changes import cutout_changes, score_changes

router = APIRouter(prefix="/v1", tags=["jobs"])

ThresholdOf = Annotated[
    float | None, Query(gt=0, lt=1, description="that both decide by; without it each by its own")
]


@router.get("/jobs/{job_id}/changes")
def job_changes(
    job_id: str, before: str, after: str, services: ServicesOf, threshold: ThresholdOf = None
) -> dict[str, Any]:
    """Deltas of the scores, flipped decisions and the most changed cutouts of a job, by two versions."""
    job = services.record.jobs.get(job_id)
    if job is None:
        raise NotFound(f"there is no job {job_id!r}")
    found = score_changes(services.record, job, before, after, threshold=threshold)
    return {"job": job_id, **asdict(found)}


@router.get("/cutouts/changes")
def changes(
    before: str, after: str, services: ServicesOf, text: FilterOf = "", threshold: ThresholdOf = None
) -> dict[str, Any]:
    """The same of the cutouts that a filter is true of; without one, of all that both have scored."""
    found = cutout_changes(services.record, text, before, after, threshold=threshold)
    return {"filter": text, **asdict(found)}
