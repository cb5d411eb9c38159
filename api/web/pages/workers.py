"""Workers: who scores on what, and what waits for them, by MongoDB and by Redis."""

from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from api.services import Caller, Services, ServicesOf
from api.web.rendering import page
from core.errors import Unavailable
from core.job import Priority
from core.settings import Settings
from tasks.queues import QUEUE_OF

router = APIRouter(include_in_schema=False)

MOST_COUNTED = 100_000
_LOOPBACK = ("127.0.0.1", "localhost")


@dataclass(frozen=True)
class Queue:
    """A queue: shards that wait by the record, messages in Redis, None where it does not answer."""

    name: str
    waiting: int
    messages: int | None
    since: datetime | None


@router.get("/workers")
def workers(request: Request, services: ServicesOf, caller: Caller) -> Response:
    """The page; it loads itself again every five seconds."""
    del caller
    record = services.record
    found = [record.jobs.get(job) for job in record.jobs.open_ids("score", "rescore")]
    rates: dict[str, float] = {}
    for job in found:
        for worker, rate in ({} if job is None else record.shards.worker_rates(job.id)).items():
            rates[worker] = rates.get(worker, 0.0) + rate
    return page(
        request,
        "_workers.html" if "HX-Request" in request.headers else "workers.html",
        workers=record.workers.present(),
        rates=rates,
        queues=[_queue(services, priority) for priority in QUEUE_OF],
        trainings=_trainings(services),
        flower=_flower(request, services.settings),
        flower_port=services.settings.flower_port,
    )


def _flower(request: Request, settings: Settings) -> str | None:
    """Where who asks reaches Flower: it listens on loopback alone, unless the settings say otherwise."""
    if settings.flower_url is not None:
        return settings.flower_url
    host = request.url.hostname
    return f"http://{host}:{settings.flower_port}/" if host in _LOOPBACK and settings.flower_port else None


def _queue(services: Services, priority: Priority) -> Queue:
    shards = services.record.shards
    oldest = shards.oldest_waiting(priority)
    try:
        messages = services.messenger.queue_length(priority)
    except Unavailable:
        messages = None
    return Queue(
        name=QUEUE_OF[priority],
        waiting=shards.waiting(priority, limit=MOST_COUNTED),
        messages=messages,
        since=None if oldest is None else datetime.fromtimestamp(int(oldest[:11], 16) / 1000, UTC),
    )


def _trainings(services: Services) -> int | None:
    try:
        return services.messenger.trainings_queued()
    except Unavailable:
        return None
