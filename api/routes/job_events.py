"""How far a job is, as server-sent events."""

import asyncio
import re
from collections.abc import AsyncIterable, Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.job_view import JobView
from api.services import Listener, ServicesOf
from api.still_in import is_still_in

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

LOOK_EVERY_S = 0.5
_EPOCHS = re.compile(r"[0-9]{1,9}")


async def _known_job(job_id: str, services: ServicesOf) -> str:
    await services.job_views.ask(job_id)
    return job_id


KnownJob = Annotated[str, Depends(_known_job)]  # checked before the answer begins


@router.get("/{job_id}/events", response_class=EventSourceResponse)
async def job_events(
    job_id: KnownJob,
    request: Request,
    services: ServicesOf,
    listener: Listener,
    last_event_id: Annotated[str | None, Header()] = None,
) -> AsyncIterable[ServerSentEvent]:
    """Events until the job has ended: `progress` with the job as it is, `epoch` with a training's figures.

    The id of an event is the number of epochs told so far: with it as Last-Event-ID none is told twice. The
    last event is `ended`, unless the token or the session ends before.
    """
    told = int(last_event_id) if last_event_id and _EPOCHS.fullmatch(last_event_id) else 0
    shown: JobView | None = None
    with services.streams.one_of(listener):
        while await is_still_in(request):
            view = await services.job_views.ask(job_id)
            for event in _epochs(view, told):
                yield event
            told = max(told, len(view.training.epochs) if view.training else 0)
            if view != shown:
                shown = view
                yield ServerSentEvent(
                    event="ended" if view.state.ended else "progress",
                    data=view.model_dump(mode="json"),
                    id=str(told),
                )
            if view.state.ended:
                return
            await asyncio.sleep(LOOK_EVERY_S)


def _epochs(view: JobView, told: int) -> Iterator[ServerSentEvent]:
    if view.training is None:
        return
    for n, figures in enumerate(view.training.epochs[told:], told + 1):
        yield ServerSentEvent(event="epoch", data=figures, id=str(n))
