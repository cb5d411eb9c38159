"""How long the stages of a start took, for its log and its bench."""

import time


class Stages:
    """Seconds of each stage, from the end of the one before."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self.took_s: dict[str, float] = {}

    def end(self, stage: str) -> None:
        """A stage is over."""
        now = time.monotonic()
        self.took_s[stage] = round(self.took_s.get(stage, 0.0) + now - self._last, 3)
        self._last = now
