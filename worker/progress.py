"""Whether a training gets on: what the watchdog beside it asks."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

STEP = "step of a training"


class Progress:
    """Since when a training has taken no step; of no training while there is none."""

    def __init__(self) -> None:
        self._since: float | None = None

    @property
    def doing(self) -> tuple[str, float]:
        """`STEP` or nothing, and for how many seconds."""
        since = self._since
        return ("", 0.0) if since is None else (STEP, time.monotonic() - since)

    @contextmanager
    def working(self) -> Iterator[None]:
        """While the block runs there is a training."""
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._since = None

    def step(self) -> None:
        """It has got on."""
        self._since = time.monotonic()
