"""Ctrl-C, SIGTERM and a closed terminal, all handled as one: stop in good order; at the second, at once."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interrupts(on_second: Callable[[], None]) -> Iterator[list[int]]:
    """In this block the first stopping signal raises KeyboardInterrupt, and later ones call `on_second`.

    Yields the list of the signals received so far. For the main thread.
    """
    received: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        received.append(number)
        if len(received) > 1:
            on_second()
            return
        raise KeyboardInterrupt

    before: dict[int, Any] = {number: signal.signal(number, handle) for number in STOPPING}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
