"""Workers: who scores on what, and what waits for them, by MongoDB and by Redis."""

from fastapi import APIRouter, Request, Response

from api.queues import queues
from api.services import Caller, Services, ServicesOf
from api.web.rendering import page
from core.errors import Unavailable
from core.settings import Settings

router = APIRouter(include_in_schema=False)

_LOOPBACK = ("127.0.0.1", "localhost")


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
        queues=queues(services),
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


def _trainings(services: Services) -> int | None:
    try:
        return services.messenger.trainings_queued()
    except Unavailable:
        return None
