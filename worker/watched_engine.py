"""An engine of which another thread can see what it is at, and for how long."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from core.model_card import ModelCard
from cutouts.recipes import Pixels
from worker.engine import Awaited, Engine, Scores, begin, prepare
from worker.metrics import count_batch, timed

T = TypeVar("T")


class WatchedEngine:
    """Passes everything on, one call at a time.

    Attributes
    ----------
    failed : set when a batch could not be scored; for who finds out why.
    together, beside : the versions that were scored, or warmed, last, and those before them; asking them
        again compiles nothing.

    Parameters
    ----------
    room : the largest batch, by which the metrics tell how full batches are.
    """

    def __init__(self, engine: Engine, *, room: int = 1) -> None:
        self._engine, self._room = engine, room
        self._one = threading.Lock()
        self._doing: tuple[str, float] = ("", 0.0)
        self.failed = threading.Event()
        self.together: tuple[str, ...] = ()
        self.beside: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """As the engine."""
        return self._engine.name

    @property
    def precision(self) -> str:
        """As the engine."""
        return self._engine.precision

    @property
    def device(self) -> str:
        """As the engine."""
        return self._engine.device

    @property
    def versions(self) -> tuple[str, ...]:
        """As the engine."""
        return self._engine.versions

    @property
    def doing(self) -> tuple[str, float]:
        """`load`, `score` or nothing, and for how many seconds."""
        what, since = self._doing
        return what, time.monotonic() - since if what else 0.0

    def prepare(self, networks: Sequence[tuple[ModelCard, bytes]]) -> None:
        """As the engine, if it does."""
        with self._at("load"):
            prepare(self._engine, networks)

    def load(self, card: ModelCard, weights: bytes) -> None:
        """As the engine."""
        with self._at("load"):
            self._engine.load(card, weights)

    def drop(self, version: str) -> None:
        """As the engine."""
        with self._at("load"):
            self.together, self.beside = (
                () if version in versions else versions for versions in (self.together, self.beside)
            )
            self._engine.drop(version)

    def warm(self, versions: Sequence[str]) -> None:
        """As the engine."""
        with self._at("load"):
            self._note(versions)
            self._engine.warm(versions)

    def score(self, batch: Pixels, versions: Sequence[str]) -> Scores:
        """As the engine."""
        return self._scoring(batch, versions, lambda: self._engine.score(batch, versions))

    def begin(self, batch: Pixels, versions: Sequence[str]) -> Awaited:
        """As the engine: it is at it while it begins, and while somebody awaits it."""
        awaited = self._scoring(batch, versions, lambda: begin(self._engine, batch, versions))

        def landed() -> Scores:
            with self._at("score"):
                return self._timed(awaited)

        return landed

    def _scoring(self, batch: Pixels, versions: Sequence[str], run: Callable[[], T]) -> T:
        compiled = set(versions) in (set(self.together), set(self.beside))
        with self._at("score" if compiled else "load"):
            count_batch(len(batch), self._room)
            found = self._timed(run)
            self._note(versions)
            return found

    def _timed(self, run: Callable[[], T]) -> T:
        try:
            with timed("infer"):
                return run()
        except Exception:
            self.failed.set()
            raise

    def _note(self, versions: Sequence[str]) -> None:
        if set(versions) != set(self.together):
            self.together, self.beside = tuple(versions), self.together

    @contextmanager
    def _at(self, what: str) -> Iterator[None]:
        with self._one:
            self._doing = (what, time.monotonic())
            try:
                yield
            finally:
                self._doing = ("", 0.0)
