"""Threads for passwords alone, and a bounded queue before them: anybody may send a password to be hashed."""

from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from core.errors import Unavailable

_T = TypeVar("_T")

AT_ONCE = 4  # argon2id takes 64 MB for each password
WAITING = 12  # a person's login may wait for its turn; a flood is sent away


class Logins:
    """Runs one login after the other, a few at once. Belongs to one event loop."""

    def __init__(self) -> None:
        self._threads = CapacityLimiter(AT_ONCE)
        self._inside = 0

    async def run(self, log_in: Callable[[], _T]) -> _T:
        """What `log_in` returns; raises Unavailable at once when too many are waiting already."""
        if self._inside >= AT_ONCE + WAITING:  # counted here: the limiter counts them a moment later
            raise Unavailable("too many log in at once; try again in a few seconds")
        self._inside += 1
        try:
            return await run_sync(log_in, limiter=self._threads)
        finally:
            self._inside -= 1
