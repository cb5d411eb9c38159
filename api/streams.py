"""Answers that go on as long as somebody listens: each person has so many at once."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import TooOften

MOST_STREAMS = 24
"""Of one person; a browser opens six to one host."""


class Streams:
    """Counts by person. Belongs to one event loop."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    def refuse_more(self, name: str) -> None:
        """Raise TooOften where a person has as many open as they may."""
        if self._open[name] >= MOST_STREAMS:
            raise TooOften(f"{name!r} follows {MOST_STREAMS} streams of events already; close some first")

    @contextmanager
    def one_of(self, name: str) -> Iterator[None]:
        """While a stream of this person is open."""
        self._open[name] += 1
        try:
            yield
        finally:
            self._open[name] -= 1
            self._open += Counter()  # which keeps those above zero
