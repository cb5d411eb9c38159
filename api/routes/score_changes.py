"""What one version changes against another on the cutouts of a job."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter

from api.services import ServicesOf
from core.errors import NotFound
from storage.score_changes import score_changes

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.get("/{job_id}/changes")
def job_changes(job_id: str, before: str, after: str, services: ServicesOf) -> dict[str, Any]:
    """Deltas of the scores, flipped decisions and the most changed cutouts of a job, by two versions."""
    job = services.record.jobs.get(job_id)
    if job is None:
        raise NotFound(f"there is no job {job_id!r}")
    return {"job": job_id, **asdict(score_changes(services.record, job, before, after))}
