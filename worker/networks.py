"""The networks that a scoring process holds, and how a batch is asked of them."""

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from core.cascade import gates, is_below
from core.errors import InvalidRequest, Misconfigured
from core.job import Job
from core.model_card import ModelCard
from cutouts.recipes import RECIPES
from storage.model_registry import ModelRegistry
from worker.engine import Engine, begin, prepare
from worker.reader import ReadItem

VERSIONS_HELD = 6
Scored = Mapping[int, Mapping[str, float]]
"""Scores by the index of an item and by version."""


class Networks:
    """Model versions on one engine: loaded and warmed when they are first wanted, asked together."""

    def __init__(self, models: ModelRegistry, engine: Engine) -> None:
        self._models, self._engine = models, engine
        self._recipes: dict[str, str] = {}
        self._warm: set[frozenset[str]] = set()

    @property
    def engine(self) -> str:
        """The engine's name, which is stored with each score."""
        return self._engine.name

    @property
    def precision(self) -> str:
        """What a batch is computed in that is begun now; loading a network may change it."""
        return self._engine.precision

    def load(self, versions: Sequence[str], *, cascade: bool = False) -> None:
        """Hold and warm these versions, dropping the longest held where there are too many.

        Those of a cascade are warmed apart: the gates, which are asked of every cutout, and the others.
        """
        missing = [self._bundle(version) for version in versions if version not in self._engine.versions]
        if missing:
            prepare(self._engine, missing)
        for card, weights in missing:
            self._engine.load(card, weights)
            self._recipes[card.version] = card.recipe
        for version in self._engine.versions[: max(0, len(self._engine.versions) - VERSIONS_HELD)]:
            if version not in versions:
                self._engine.drop(version)
                self._warm = {one for one in self._warm if version not in one}
        for together in _together(versions, cascade=cascade):
            if frozenset(together) not in self._warm:
                self._engine.warm(together)
                self._warm.add(frozenset(together))

    def _bundle(self, version: str) -> tuple[ModelCard, bytes]:
        """A registered version's card and weights; raises InvalidRequest, or Misconfigured."""
        card = self._models.get(version)
        if card is None:
            raise InvalidRequest(f"model version {version} is not registered")
        if card.recipe not in RECIPES:
            raise Misconfigured(f"{version} wants the recipe {card.recipe}; known: {', '.join(RECIPES)}")
        return card, self._models.weights(card)

    def are_warm(self, versions: Sequence[str], *, cascade: bool) -> bool:
        """Whether `load` would have nothing to do."""
        return set(versions) <= set(self._engine.versions) and all(
            frozenset(together) in self._warm for together in _together(versions, cascade=cascade)
        )

    def recipes(self, versions: Sequence[str]) -> list[str]:
        """By which recipes these versions, which were loaded, want their pixels."""
        return sorted({self._recipes[version] for version in versions})

    def begin(self, job: Job, batch: Sequence[ReadItem], done: Collection[str]) -> Callable[[], Scored]:
        """Have the engine begin what can be scored of a batch and is not done; returns what waits for it.

        Of a cascade all is scored then.
        """
        floor = job.cascade
        self.load(job.versions, cascade=floor is not None)  # a live shard between may have needed others
        readable = [read for read in batch if read.pixels and read.cutout not in done]
        if floor is None:
            return self._asked(job.versions, readable)
        scores: dict[int, dict[str, float]] = {}
        for wave in _waves(job.versions):
            for index, more in self._asked(wave, readable)().items():
                scores.setdefault(index, {}).update(more)
            readable = [r for r in readable if not is_below(scores[r.index], wave, floor)]
        return lambda: scores

    def _asked(self, versions: Sequence[str], reads: Sequence[ReadItem]) -> Callable[[], Scored]:
        """Ask these versions; returns what waits for their answers."""
        begun = [
            (together, begin(self._engine, np.stack([read.pixels[recipe] for read in reads]), together))
            for recipe, together in (self._by_recipe(versions).items() if reads else ())
        ]

        def answers() -> Scored:
            scores: dict[int, dict[str, float]] = {read.index: {} for read in reads}
            for together, awaited in begun:
                for read, row in zip(reads, awaited().tolist(), strict=True):
                    scores[read.index] |= zip(together, row, strict=True)
            return scores

        return answers

    def _by_recipe(self, versions: Sequence[str]) -> dict[str, list[str]]:
        grouped: dict[str, list[str]] = {}
        for version in versions:
            grouped.setdefault(self._recipes[version], []).append(version)
        return grouped


def _together(versions: Sequence[str], *, cascade: bool) -> Sequence[Sequence[str]]:
    """Which of them are asked together."""
    return _waves(versions) if cascade else [versions]


def _waves(versions: Sequence[str]) -> list[list[str]]:
    """The gates of a cascade, and then the others."""
    first = gates(versions)
    return [first, [version for version in versions if version not in first]]
