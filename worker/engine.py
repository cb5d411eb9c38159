"""The interface between the worker and a neural network library."""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from core.model_card import ModelCard
from cutouts.recipes import Pixels

Scores = NDArray[np.float32]
Awaited = Callable[[], Scores]
"""Waits for the scores of a batch that was begun; to be called once."""


class Engine(Protocol):
    """Holds networks and runs them on batches."""

    @property
    def name(self) -> str:
        """The library and its version, such as "tensorflow-2.21.0"."""

    @property
    def precision(self) -> str:
        """What it computes in, such as "float32"."""

    @property
    def device(self) -> str:
        """What it computes on, in the library's words."""

    @property
    def versions(self) -> tuple[str, ...]:
        """The model versions it holds."""

    def load(self, card: ModelCard, weights: bytes) -> None:
        """Hold one more network; raises Misconfigured for weights that are not those of the card."""

    def drop(self, version: str) -> None:
        """Hold a network no longer."""

    def warm(self, versions: Sequence[str]) -> None:
        """Compile and run every batch shape for these versions together, so that no request waits for it."""

    def score(self, batch: Pixels, versions: Sequence[str]) -> Scores:
        """Run these versions on a batch.

        Parameters
        ----------
        batch : (n, 144, 144, 1) uint8, n of any size; the device divides by 255.

        Returns (n, len(versions)) float32, each 0..1. A row depends on its own cutout only.
        """


@runtime_checkable
class StreamingEngine(Engine, Protocol):
    """An engine that takes a batch while it works on the one before."""

    def begin(self, batch: Pixels, versions: Sequence[str]) -> Awaited:
        """Do what `score` does, and return as soon as the device has all of it.

        What fails is raised when the scores are awaited. A batch may be given up: nobody has to await it.
        """


@runtime_checkable
class PreparingEngine(Engine, Protocol):
    """An engine that takes long to load a network for the first time, and can do so for several at once."""

    def prepare(self, networks: Sequence[tuple[ModelCard, bytes]]) -> None:
        """Do what can be done side by side before each of them is loaded; raises as `load` does."""


def prepare(engine: Engine, networks: Sequence[tuple[ModelCard, bytes]]) -> None:
    """Prepare networks, which are to be loaded then, where that saves time."""
    if isinstance(engine, PreparingEngine):
        engine.prepare(networks)


def begin(engine: Engine, batch: Pixels, versions: Sequence[str]) -> Awaited:
    """Begin a batch; an engine that takes one at a time has scored it then."""
    if isinstance(engine, StreamingEngine):
        return engine.begin(batch, versions)
    scores = engine.score(batch, versions)
    return lambda: scores
