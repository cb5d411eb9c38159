"""Rescoring cutouts that are on record."""

import hashlib
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from api.services import Operator, Services, ServicesOf
from core.errors import InvalidRequest
from core.instrument import DEFAULT_INSTRUMENT
from cutouts.instruments import find_instrument
from tasks.submit_rescore import Rescoring

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

MOST_NIGHTS = 1000


class WantedRescoring(BaseModel):
    """Which cutouts are to be scored again."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    filter: str = Field("", max_length=10_000, description="such as `rb < 0.5 and rb > 0.1`; all without")
    nights: list[str] = Field([], max_length=MOST_NIGHTS, description="as 20180927; all without")
    models: list[str] = Field([], description="versions; those in production without")
    all: bool = Field(default=False, description="also those that have an outcome of every version")
    instrument: str = DEFAULT_INSTRUMENT
    rank: int = Field(0, description="jobs of a higher rank are worked on first")
    share: float | None = Field(None, description="of the workers that it may take at a time; all without")
    cascade: float | None = Field(None, description="other families only where rb is that or above; 0: all")
    dry_run: bool = Field(default=False, description="count and estimate, and do nothing")

    def rescoring(self, services: Services) -> Rescoring:
        """The same as the submitter takes it."""
        wrong = [night for night in self.nights if not (len(night) == 8 and night.isdecimal())]
        if wrong:
            raise InvalidRequest(f"night {wrong[0][:40]!r}; expected a date as 20180927")
        return Rescoring(
            selection=self.filter,
            nights=self.nights,
            models=self.models,
            lacking=not self.all,
            instrument=find_instrument(self.instrument, services.settings.instruments),
            rank=self.rank,
            share=self.share,
            cascade=self.cascade,
        )


class AcceptedRescoring(BaseModel):
    """A promise: every cutout that the filter meant gets one score per version, or a rejection.

    Without a job this is what a dry run found; `seconds` is None where no rate was measured yet.
    """

    job: str | None
    versions: list[str]
    filter: str
    cutouts: int | None
    workers: int | None = None
    seconds: float | None = None


_COUNTED: dict[int | str, dict[str, Any]] = {
    200: {"model": AcceptedRescoring, "description": "What a dry run found"}
}


@router.post("/rescore", status_code=202, responses=_COUNTED)
async def submit_rescoring(
    wanted: WantedRescoring,
    response: Response,
    services: ServicesOf,
    caller: Operator,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> AcceptedRescoring:
    """Score cutouts on record with these versions; which ones is planned while the first are worked on."""
    rescoring, submitter = wanted.rescoring(services), services.rescore_submitter
    if wanted.dry_run:
        response.status_code = 200
        found = await services.scans.run(lambda: submitter.estimate(rescoring))
        return AcceptedRescoring(
            job=None,
            versions=list(found.versions),
            filter=found.selection,
            cutouts=found.cutouts,
            workers=found.workers,
            seconds=found.seconds,
        )
    unsaid = {"cascade"} if wanted.cascade is None else set()  # so that keys of before know their job
    submit = partial(
        submitter.submit,
        owner=caller.name,
        idempotency_key=idempotency_key,
        fingerprint=hashlib.sha256(wanted.model_dump_json(exclude=unsaid).encode()).hexdigest(),
    )
    job = await run_in_threadpool(submit, rescoring)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return AcceptedRescoring(job=job.id, versions=list(job.versions), filter=str(job.selection), cutouts=None)
