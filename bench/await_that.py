"""Waiting for something to be so."""

import time
from collections.abc import Callable

POLL_S = 0.02


def await_that(happened: Callable[[], bool], what: str, *, patience_s: float = 300.0) -> None:
    """Return once it is so; raises TimeoutError, which tells what has not come."""
    deadline = time.monotonic() + patience_s
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} has not come after {patience_s:.0f} s")
        time.sleep(POLL_S)
