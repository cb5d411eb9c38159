"""Asks the engine, now and then, for a score that is known."""

import logging
import math
from collections.abc import Callable, Sequence

from pymongo.errors import PyMongoError

from cutouts.canary import canary
from storage.canaries import CanaryRepository, KnownScore
from worker.watched_engine import WatchedEngine

_log = logging.getLogger(__name__)
SAME, OTHERWISE = 0.01, 0.1
"""How far a score may be from the known one: in the same precision, in another."""


class CanaryCheck:
    """Scores the canary and compares: an engine that lost its device, or gives nonsense, is found out."""

    def __init__(self, known: CanaryRepository, engine: WatchedEngine, worker: Callable[[], str]) -> None:
        self._known, self._engine, self._worker = known, engine, worker
        self._pixels = canary()

    def fault(self) -> str | None:
        """What is wrong with the engine, in a sentence; None when every version gives its known score."""
        asked = [versions for versions in (self._engine.beside, self._engine.together) if versions]
        return next(filter(None, map(self._fault_of, asked)), None)

    def _fault_of(self, versions: Sequence[str]) -> str | None:
        try:
            scores = self._engine.score(self._pixels, versions)[0].tolist()
        except Exception as error:  # noqa: BLE001  whatever it is, this engine can't score
            if not set(versions) <= set(self._engine.versions):  # one was dropped before its turn came
                return None
            return f"the engine failed on the canary: {type(error).__name__}: {error}"
        return next(filter(None, map(self._difference, versions, scores)), None)

    def _difference(self, version: str, score: float) -> str | None:
        if not 0 <= score <= 1:
            return f"{version} gives the canary {score}; expected a number from 0 to 1"
        mine = KnownScore(score, self._engine.name, self._engine.precision, self._worker())
        try:
            known = self._known.known(version, else_note=mine)
        except PyMongoError as error:
            _log.warning("the canary's score can't be compared: %s", type(error).__name__)
            return None
        allowed = SAME if known.precision == mine.precision else OTHERWISE
        if math.isclose(score, known.score, rel_tol=0, abs_tol=allowed):
            return None
        return (
            f"{version} gives the canary {score:.4f} on {mine.engine}; expected {known.score:.4f} within "
            f"{allowed}, as {known.worker} gave it on {known.engine}"
        )
