"""How the processes of a pool learn that their worker is to end: Celery waits for them and says nothing."""

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from billiard import active_children
from celery.signals import worker_shutting_down

AGAIN_S = 1.0
_TO_END = signal.SIGUSR2


def expect_none_yet() -> None:
    """For the worker, before its pool starts: a process that is told too early is not killed by it."""
    signal.signal(_TO_END, signal.SIG_IGN)  # inherited


def when_told_to_end(call: Callable[[], None]) -> None:
    """For a process of the pool: call this, once, in a signal handler, after the worker is told to end."""

    def told(*_: object) -> None:
        told_enough()
        call()

    signal.signal(_TO_END, told)


def told_enough() -> None:
    """For a process of the pool that knows, or is ending."""
    signal.signal(_TO_END, signal.SIG_IGN)


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def _tell_pool(**_: object) -> None:
    threading.Thread(target=_keep_telling, name="told-to-end", daemon=True).start()


def _keep_telling() -> None:
    """Again each second until this process ends: one that is only just starting does not hear it."""
    while True:
        for child in active_children():
            with suppress(ProcessLookupError):
                os.kill(child.pid, _TO_END)
        time.sleep(AGAIN_S)
