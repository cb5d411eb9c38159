"""The next shard of a backlog: claimed and read while the last batches of the one before are scored."""

import logging
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextvars import copy_context

from worker.turn import Turn

_log = logging.getLogger(__name__)


class Ahead:
    """At most one turn, taken in a thread once all of the shard at hand is read or being read.

    The engine has its first batch before the last one's scores are awaited, where that is read by then. It
    is claimed as any other: should this process die, its lease runs out.

    Parameters
    ----------
    take : claims a shard and begins to read it; None where there is none, or this is not the moment.
    may_begin : whether its turn may come at all; asked when the engine could have its first batch.
    """

    def __init__(
        self, executor: Executor, take: Callable[[], Turn | None], *, may_begin: Callable[[], bool]
    ) -> None:
        self._executor, self._take, self._may_begin = executor, take, may_begin
        self._taking: Future[Turn | None] | None = None

    def take(self) -> None:
        """See to it that it is claimed, if it is not; returns at once."""
        if self._taking is None:
            self._taking = self._executor.submit(copy_context().run, self._take)

    def begin(self) -> None:
        """Have the engine begin its first batch, if that is there and was not begun.

        A shard that fails then is given back; that was a try.
        """
        if self._taking is None or not self._taking.done() or not self._may_begin():
            return
        turn = self._taken()
        if turn is None or turn.begun:
            return
        try:
            turn.begin_early()
        except Exception:  # noqa: BLE001  the shard at hand is not to suffer for it
            _log.exception("next shard failed", extra={"job": turn.lease.job, "shard": turn.lease.n})
            self._taking = None
            turn.give_back(counts=True)

    def turn(self) -> Turn | None:
        """What was taken, from now on the caller's; None where its turn may not come."""
        turn = self._taken()
        if turn is None or not (turn.begun or self._may_begin()):
            return None
        self._taking = None
        return turn

    def give_back(self) -> None:
        """Return what was taken and is nobody's turn, to be claimed at once by anyone."""
        turn, self._taking = self._taken(), None
        if turn is not None:
            turn.give_back(counts=turn.begun)

    def _taken(self) -> Turn | None:
        """Waits for it; what the claim failed of is told, and left to the next one."""
        try:
            return None if self._taking is None else self._taking.result()
        except Exception as error:  # noqa: BLE001  the shard at hand is not to suffer for it
            _log.warning("no shard was claimed ahead: %r", error)
            self._taking = None
            return None
