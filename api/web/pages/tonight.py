"""Tonight: plausible streaks as they are scored, to be accepted or rejected."""

import asyncio
from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from api.routes.ades import NightOf, reportable, what_to_set, window
from api.routes.verdicts import told
from api.services import Caller, Listener, Services, ServicesOf
from api.still_in import is_still_in
from api.web.rendering import page
from core.verdict import Verdict
from storage.grid import nights
from storage.tonight import Window, streak_ids, streaks

router = APIRouter(prefix="/tonight", include_in_schema=False)

HOURS = 24
SHOWN = 240
"""Streaks on the page at once; the others come as these are decided."""
LOOK_EVERY_S = 1.0
ASKED_AT_ONCE = 60

Show = Literal["open", "accepted", "rejected", "all"]


@router.get("")
def tonight(
    request: Request, services: ServicesOf, caller: Caller, night: NightOf = None, show: Show = "open"
) -> Response:
    """The page."""
    station = services.settings.station
    wanted = window(night, HOURS)
    known = _Known.read(services, wanted)
    ids = [cutout for cutout in known.ids if show in ("all", known.word_of(cutout))]
    report = reportable(services, wanted, station) if not station.missing() else None
    return page(
        request,
        "tonight.html",
        night=night,
        show=show,
        nights=nights(services.record),
        streaks=streaks(services.record, ids[:SHOWN]),
        verdicts=known.verdicts,
        counts=known.counts(),
        mine=[
            [verdict.cutout, verdict.id]
            for verdict in sorted(known.verdicts.values(), key=lambda verdict: verdict.at)
            if verdict.person == caller.name
        ],
        shown=SHOWN,
        to_set=what_to_set(station.missing()) if station.missing() else None,
        faults={} if report is None else report.faults,
        may_judge=caller.may("labeller"),
    )


@router.get("/streaks")
def some_streaks(
    request: Request,
    services: ServicesOf,
    caller: Caller,
    ids: Annotated[list[str], Query(alias="id", max_length=ASKED_AT_ONCE)],
) -> Response:
    """Streaks by their ids, as the page shows them."""
    return page(
        request,
        "_streaks.html",
        streaks=streaks(services.record, ids),
        verdicts=services.record.verdicts.standing(ids),
        may_judge=caller.may("labeller"),
    )


@router.get("/events", response_class=EventSourceResponse)
async def events(
    request: Request, services: ServicesOf, listener: Listener, night: NightOf = None
) -> AsyncIterable[ServerSentEvent]:
    """Events without end, each with the ids of `streaks` that are new and the `verdicts` that changed.

    The first tells all there are, so that a page that was cut off for a while lacks nothing. Ends when the
    session does.
    """
    told_ids: set[str] = set()
    told_verdicts: dict[str, Verdict] = {}
    newest: tuple[str, ...] | None = None
    with services.streams.one_of(listener):
        while await is_still_in(request):
            ids = await run_in_threadpool(streak_ids, services.record, window(night, HOURS))
            new = [cutout for cutout in ids if cutout not in told_ids]
            now = await run_in_threadpool(services.record.verdicts.newest)
            if new or now != newest:
                standing = await run_in_threadpool(services.record.verdicts.standing, ids)
                changed = _changed(told_verdicts, standing)
                if new or changed or newest is None:
                    yield ServerSentEvent(event="news", data={"streaks": new, "verdicts": changed})
                told_ids.update(new)
                told_verdicts, newest = standing, now
            await asyncio.sleep(LOOK_EVERY_S)


def _changed(before: Mapping[str, Verdict], now: Mapping[str, Verdict]) -> dict[str, Any]:
    """By cutout, the verdicts that were not told yet; None where one was undone."""
    gone: dict[str, Any] = {cutout: None for cutout in before if cutout not in now}
    return gone | {
        cutout: told(verdict).model_dump(mode="json")
        for cutout, verdict in now.items()
        if before.get(cutout) != verdict
    }


@dataclass(frozen=True)
class _Known:
    """The streaks of a window, and the verdicts that stand."""

    ids: list[str]
    verdicts: dict[str, Verdict]

    @classmethod
    def read(cls, services: Services, wanted: Window) -> "_Known":
        ids = streak_ids(services.record, wanted)
        return cls(ids, services.record.verdicts.standing(ids))

    def word_of(self, cutout: str) -> str:
        return self.verdicts[cutout].word if cutout in self.verdicts else "open"

    def counts(self) -> dict[str, int]:
        words = [self.word_of(cutout) for cutout in self.ids]
        return {word: words.count(word) for word in ("open", "accepted", "rejected")} | {"all": len(words)}
