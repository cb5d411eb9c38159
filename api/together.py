"""Questions to the record that come at the same time, asked at once."""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

_K = TypeVar("_K")
_V = TypeVar("_V")

LOOKS_AT_ONCE = 2
KEYS_AT_ONCE = 500
EVERY_S = 0.04
"""From the beginning of a look that several had asked for to that of the next."""
_SHORTEST_S = 0.001  # the step of uvloop's clock


class Together(Generic[_K, _V]):
    """Answers each key from a look at the record that began after it was asked. Belongs to one event loop.

    While looks are under way, keys gather, and the next look takes all of them, each once. So nobody is told
    what was true before they asked. Where several ask at once, looks keep a distance: a thousand who ask in a
    second cost 25 looks, and each waits up to 40 ms. Who asks alone, even again and again, waits for nothing.

    Parameters
    ----------
    look : run in a thread with different keys; the value of each, or what is to be raised for it.
    """

    def __init__(
        self,
        look: Callable[[Sequence[_K]], Mapping[_K, _V | Exception]],
        *,
        limiter: CapacityLimiter | None = None,
    ) -> None:
        self._look, self._limiter = look, limiter
        self._waiting: dict[_K, list[asyncio.Future[_V | Exception]]] = {}
        self._next_at = -math.inf
        self._looking: set[asyncio.Task[None]] = set()

    async def ask(self, key: _K) -> _V:
        """The value of a key; raises what the look has for it, or what it raised itself."""
        told: asyncio.Future[_V | Exception] = asyncio.get_running_loop().create_future()
        others = self._waiting.setdefault(key, [])
        others.append(told)
        if len(others) == 1 and len(self._looking) < LOOKS_AT_ONCE:
            self._looking.add(asyncio.create_task(self._go_on()))
        answer = await told
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _go_on(self) -> None:
        """Look until nobody waits."""
        now = asyncio.get_running_loop().time
        try:
            while self._waiting:
                if (early_s := self._next_at - now()) > 0:
                    await asyncio.sleep(max(early_s, _SHORTEST_S))
                    continue  # the other look may have taken them
                keys = list(self._waiting)[:KEYS_AT_ONCE]
                asked = {key: self._waiting.pop(key) for key in keys}
                several = sum(map(len, asked.values())) > 1
                self._next_at = now() + EVERY_S if several else -math.inf
                answers = await self._answers(keys)
                for key, waiting in asked.items():
                    for told in waiting:
                        if not told.done():  # who has gone away is not told
                            told.set_result(answers[key])
        finally:
            self._looking.discard(asyncio.current_task())

    async def _answers(self, keys: Sequence[_K]) -> Mapping[_K, _V | Exception]:
        try:
            found = await run_sync(self._look, keys, limiter=self._limiter)
            return {key: found[key] for key in keys}  # a look that leaves one out leaves nobody waiting
        except Exception as error:  # noqa: BLE001  raised again in each who asked
            return dict.fromkeys(keys, error)
