"""A job as people see it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from pydantic import BaseModel

from core.errors import NotFound
from core.job import Job, JobState, Progress
from core.training import Training
from storage.record import Record
from storage.workers import host_of


class TrainingView(BaseModel):
    """What is being trained, and how far that is.

    `doing` is a word for people; `version` is the candidate that it became.
    """

    request: dict[str, Any]
    doing: str
    device: str | None
    attempts: int
    epochs: list[dict[str, Any]]
    version: str | None


class JobView(BaseModel):
    """A job, and what became of its items so far, counted from its shards.

    While it is being planned, `items` are those that are planned so far. While it is worked on, `workers`
    tells the cutouts/s of each worker during the last minute, `hosts` of each host, and `rate` is their sum;
    of a job that has ended `rate` is the mean.
    """

    id: str
    kind: str
    state: JobState
    priority: str
    owner: str
    versions: list[str]
    items: int
    scored: int
    rejected: int
    shards: int
    shards_open: int
    rate: float | None
    seconds_left: float | None
    created: datetime | None
    finished: datetime | None
    failure: str | None
    filter: str | None
    rank: int
    share: float | None
    paused: bool
    cascade: float | None
    workers: dict[str, float]
    hosts: dict[str, float]
    training: TrainingView | None

    @cached_property
    def as_json(self) -> str:
        """The view as it is sent, written once for all who are told of it."""
        return self.model_dump_json()


def view_of(record: Record, job: Job) -> JobView:
    """A job with its progress, as the record has it now."""
    return views_of(record, [job])[0]


def views_of(record: Record, jobs: Sequence[Job]) -> list[JobView]:
    """Several jobs, each as `view_of` shows it, by a few looks at the record for all of them."""
    progress = record.shards.progress_of([job.id for job in jobs])
    rates = record.shards.worker_rates_of([job.id for job in jobs if not job.state.ended])
    return [_view(record, job, progress[job.id], rates.get(job.id, {})) for job in jobs]


def known_views(record: Record, ids: Sequence[str]) -> dict[str, JobView | Exception]:
    """The views of jobs by their ids; NotFound for those that are not on record."""
    jobs = record.jobs.get_all(ids)
    views = {view.id: view for view in views_of(record, list(jobs.values()))}
    return {job: views.get(job) or NotFound(f"there is no job {job!r}") for job in ids}


def _view(record: Record, job: Job, progress: Progress, workers: dict[str, float]) -> JobView:
    training = record.trainings.get(job.id) if job.kind == "train" else None
    rate = sum(workers.values()) or _mean_rate(record, job, progress.done)
    return JobView(
        id=job.id,
        kind=job.kind,
        state=job.state,
        priority=job.priority,
        owner=job.owner,
        versions=list(job.versions),
        items=job.items or progress.items,
        scored=progress.scored,
        rejected=progress.rejected,
        shards=job.shards,
        shards_open=progress.shards_open,
        rate=rate,
        seconds_left=_seconds_left(job, progress.done, rate, training),
        created=job.created,
        finished=job.finished,
        failure=job.failure,
        filter=job.selection,
        rank=job.rank,
        share=job.share,
        paused=job.paused,
        cascade=job.cascade,
        workers=workers,
        hosts=_by_host(workers),
        training=None if training is None else _training(training),
    )


def _training(training: Training) -> TrainingView:
    return TrainingView(
        request=vars(training.request),
        doing=training.doing,
        device=training.device,
        attempts=training.attempts,
        epochs=list(training.epochs),
        version=training.version,
    )


def _by_host(workers: Mapping[str, float]) -> dict[str, float]:
    """The sum of the rates of each host's workers, whose names are host:device."""
    hosts: dict[str, float] = {}
    for name, rate in workers.items():
        host = host_of(name)
        hosts[host] = hosts.get(host, 0.0) + rate
    return hosts


def _mean_rate(record: Record, job: Job, done: int) -> float | None:
    """Items per second since somebody began to work on the job; None where nobody works on it now."""
    began = job.started or job.created
    if began is None or not done or not (job.state.ended or record.shards.leased(job.id)):
        return None
    return done / max(((job.finished or datetime.now(UTC)) - began).total_seconds(), 0.001)


def _seconds_left(job: Job, done: int, rate: float | None, training: Training | None) -> float | None:
    """What is left at the rate so far; of a training at most, as it may stop early."""
    if job.state.ended or job.state is JobState.PLANNING:
        return None
    if training is not None and training.epochs:
        each = float(training.epochs[-1]["seconds"]) / len(training.epochs)
        return each * (training.request.epochs - len(training.epochs))
    return (job.items - done) / rate if rate else None
