"""How the processes of a pool learn that their worker is to end: Celery waits for them and says nothing."""

import os
import signal
from collections.abc import Callable

from billiard import active_children
from celery.signals import worker_shutting_down

_TO_END = signal.SIGUSR2


def expect_none_yet() -> None:
    """For the worker, before its pool starts: a process that is told too early is not killed by it."""
    signal.signal(_TO_END, signal.SIG_IGN)  # inherited


def when_told_to_end(call: Callable[[], None]) -> None:
    """For a process of the pool: call this, in a signal handler, as soon as the worker is told to end."""
    signal.signal(_TO_END, lambda *_: call())


def told_enough() -> None:
    """For a process of the pool that is ending."""
    signal.signal(_TO_END, signal.SIG_IGN)


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def _tell_pool(**_: object) -> None:
    for child in active_children():
        os.kill(child.pid, _TO_END)
