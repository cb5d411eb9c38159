"""Scores taken out: a job's, or those of the cutouts that a filter is true of, as a file."""

from collections.abc import Callable, Iterator
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from api.export_formats import FORMATS, Form, Origin
from api.services import Services, ServicesOf
from api.streamed import streamed
from core.errors import Conflict, NotFound
from core.job import JobState
from storage.exports import asked, chosen_rows, cutout_rows, job_rows, thresholds_of
from storage.selection import EVERYTHING

router = APIRouter(prefix="/v1", tags=["exports"])

MOST_CHOSEN = 10_000

FormOf = Annotated[Form, Query(alias="format", description="csv, ndjson or parquet")]
FilterOf = Annotated[
    str, Query(alias="filter", description="such as `rb < 0.5 and rb > 0.1`; every cutout without")
]
ModelsOf = Annotated[
    str, Query(description="versions whose scores are told, such as rb@2,sl@1; those in production without")
]


class ChosenCutouts(BaseModel):
    """Cutouts by their ids, and whose scores are told."""

    model_config = ConfigDict(extra="forbid")
    ids: list[Annotated[str, Field(min_length=1, max_length=300)]] = Field(
        min_length=1, max_length=MOST_CHOSEN
    )
    models: str = Field("", description="such as rb@2,sl@1; those in production without")
    format: Form = "csv"


@router.get("/jobs/{job_id}/export", response_class=StreamingResponse)
async def export_job(job_id: str, services: ServicesOf, form: FormOf = "csv") -> StreamingResponse:
    """Every item of a job, in order, with a column for each version that the job asked.

    A column is empty where a version gave no score: `rejection` says why, or there is no outcome yet. An
    answer that breaks off is not complete.
    """
    record = services.record

    def chunks() -> Iterator[bytes]:
        job = record.jobs.get(job_id)
        if job is None:
            raise NotFound(f"there is no job {job_id!r}")
        if job.kind == "train":
            raise Conflict(f"job {job_id} trains; expected one that scores")
        if job.state is JobState.PLANNING:
            raise Conflict(f"job {job_id} is still being planned; expected one whose cutouts are all known")
        origin = Origin(thresholds_of(record, job.versions), job=job_id)
        return FORMATS[form].write(job_rows(record, job, origin.thresholds), origin)

    return await _streamed(services, chunks, form, name=job_id)


@router.get("/cutouts/export", response_class=StreamingResponse)
async def export_cutouts(
    services: ServicesOf, text: FilterOf = "", models: ModelsOf = "", form: FormOf = "csv"
) -> StreamingResponse:
    """The cutouts that a filter is true of, by id, with a column for each version.

    `plausible` is the decision over these versions by the thresholds of this moment. What has no score yet
    has an empty column. An answer that breaks off is not complete.
    """
    record = services.record

    def chunks() -> Iterator[bytes]:
        wanted = asked(record, text, listed(models))
        origin = Origin(wanted.thresholds, filter=wanted.filter)
        return FORMATS[form].write(cutout_rows(record, wanted.filter, wanted.thresholds), origin)

    return await _streamed(services, chunks, form, name="cutouts")


@router.post("/cutouts/export", response_class=StreamingResponse)
async def export_some(chosen: ChosenCutouts, services: ServicesOf) -> StreamingResponse:
    """The same of the cutouts with these ids. Raises NotFound where some are not on record."""
    record = services.record

    def chunks() -> Iterator[bytes]:
        wanted = asked(record, EVERYTHING, listed(chosen.models))
        ids = sorted(set(chosen.ids))
        rows = chosen_rows(record, ids, wanted.thresholds)
        return FORMATS[chosen.format].write(rows, Origin(wanted.thresholds))

    return await _streamed(services, chunks, chosen.format, name="cutouts")


def listed(models: str) -> list[str]:
    """`rb@2,sl@1` as a list."""
    return [name.strip() for name in models.split(",") if name.strip()]


async def _streamed(
    services: Services, chunks: Callable[[], Iterator[bytes]], form: Form, *, name: str
) -> StreamingResponse:
    return await streamed(
        services.scans,
        chunks,
        media_type=FORMATS[form].media_type,
        headers={"Content-Disposition": f'attachment; filename="{name}.{form}"'},
    )
