"""Threads for one kind of slow work alone, and a bounded queue before them: it holds up nothing else."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from core.errors import Unavailable

_T = TypeVar("_T")


class Turns:
    """Runs what it is given a few at once, in the order in which it came. Belongs to one event loop.

    Parameters
    ----------
    at_once, waiting : how many are run at the same time, and how many more may wait for that.
    refusal : what the others are told.
    """

    def __init__(self, at_once: int, *, waiting: int, refusal: str) -> None:
        self._threads = CapacityLimiter(at_once)
        self._most = at_once + waiting
        self._refusal = refusal
        self._inside = 0

    async def run(self, work: Callable[[], _T]) -> _T:
        """What `work` returns; raises Unavailable at once when too many are waiting already."""
        if self._inside >= self._most:  # counted here: the limiter counts them a moment later
            raise Unavailable(self._refusal)
        self._inside += 1
        try:
            return await run_sync(work, limiter=self._threads)
        finally:
            self._inside -= 1

    async def each(self, parts: Iterator[_T]) -> AsyncIterator[_T]:
        """What is left of work that was let in: a turn for each part, and none while a part is sent."""
        while (part := await run_sync(next, parts, None, limiter=self._threads)) is not None:
            yield part
