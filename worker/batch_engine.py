"""What engines share: batches of fixed sizes, sets of versions that run together, halving."""

import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.model_card import ModelCard
from cutouts.recipes import SIZE_PX, Pixels
from worker.engine import Awaited, Scores

_log = logging.getLogger(__name__)
SETS_HELD = 4  # of versions that run together; each may have its own copy of their weights


@dataclass(eq=False)
class _Begun:
    """A batch that was begun: its parts' scores as they come back, or what it failed of.

    Parameters
    ----------
    run : what runs its versions, as they were when it was begun; a batch that is begun again keeps it.
    largest : the size of its parts, but the last.
    flying : how many of them the device has.
    """

    run: Any
    largest: int
    flying: int = 0
    parts: list[Scores] = field(default_factory=list)
    error: Exception | None = None


class BatchEngine(ABC):
    """Runs networks in batches of fixed sizes: what is over is cut, what is under is padded.

    The device has the next part, perhaps of the next batch, before it is done with one; parts come back in
    their order.
    """

    in_flight = 2
    """Parts that the device has at a time: while one is computed the next is there, or read back."""

    def __init__(self, batch_sizes: Sequence[int]) -> None:
        self._sizes = tuple(sorted(batch_sizes))
        self._networks: dict[str, Any] = {}
        self._compiled: dict[tuple[str, ...], Any] = {}
        self._flying: deque[tuple[Any, int, _Begun]] = deque()

    @property
    def versions(self) -> tuple[str, ...]:
        """The model versions it holds."""
        return tuple(self._networks)

    def device_bytes(self) -> int | None:
        """What it uses of its device's own memory; None where that is not known."""
        return None

    def load(self, card: ModelCard, weights: bytes) -> None:
        """Hold one more network."""
        self._networks[card.version] = self._network(card, weights)

    def drop(self, version: str) -> None:
        """Hold a network no longer, and nothing that uses it."""
        self._networks.pop(version, None)
        self._compiled = {key: found for key, found in self._compiled.items() if version not in key}

    def warm(self, versions: Sequence[str]) -> None:
        """Compile and run every batch size."""
        for size in self._sizes:
            self.score(np.zeros((size, SIZE_PX, SIZE_PX, 1), np.uint8), versions)

    def score(self, batch: Pixels, versions: Sequence[str]) -> Scores:
        """Run these versions on a batch of any size; one that does not fit the device is halved, for good."""
        return self.begin(batch, versions)()

    def begin(self, batch: Pixels, versions: Sequence[str]) -> Awaited:
        """Do what `score` does, and return as soon as the device has all of it: most of it is done then."""
        together = tuple(sorted(set(versions)))
        begun = self._begun(batch, self._function(together))

        def awaited() -> Scores:
            parts = self._landed(begun, batch)
            scores = np.concatenate(parts) if parts else np.empty((0, len(together)), np.float32)
            return scores[:, [together.index(version) for version in versions]]

        return awaited

    def _begun(self, batch: Pixels, run: Any) -> _Begun:
        """A batch whose parts are begun, each as soon as the device has less than `in_flight` others."""
        begun = _Begun(run, self._sizes[-1])
        for part in self._cut(batch, begun.largest):
            while len(self._flying) >= self.in_flight:
                self._land_one()
            if begun.error is not None:
                break
            try:
                self._flying.append((self._start(run, self._padded(part)), len(part), begun))
            except Exception as error:  # noqa: BLE001  raised when the batch is awaited
                begun.error = error
                break
            begun.flying += 1
        return begun

    def _cut(self, batch: Pixels, largest: int) -> Iterator[Pixels]:
        """The parts of a batch, each of that size at most."""
        for start in range(0, len(batch), largest):
            yield batch[start : start + largest]

    def _land_one(self) -> None:
        """Read back the part that was begun first, for the batch that it belongs to."""
        started, n, begun = self._flying.popleft()
        begun.flying -= 1
        try:
            begun.parts.append(self._finish(started)[:n])
        except Exception as error:  # noqa: BLE001  raised when that batch is awaited
            begun.error = begun.error or error

    def _landed(self, begun: _Begun, batch: Pixels) -> list[Scores]:
        """The parts' scores; what did not fit is tried again in halves, alone on the device."""
        while True:
            while begun.flying:
                self._land_one()
            if begun.error is None:
                return begun.parts
            if not self._out_of_memory(begun.error) or begun.largest == 1:
                raise begun.error
            while self._flying:
                self._land_one()
            if begun.largest == self._sizes[-1]:  # else another batch has halved them
                self._halve()
            begun = self._begun(batch, begun.run)

    def _padded(self, part: Pixels) -> Pixels:
        size = next(size for size in self._sizes if size >= len(part))
        if size == len(part):
            return part
        return np.concatenate([part, np.zeros((size - len(part), *part.shape[1:]), np.uint8)])

    def _halve(self) -> None:
        """Use batches of half the size at most from now on."""
        largest = self._sizes[-1]
        half = largest // 2
        self._sizes = tuple(sorted({size for size in self._sizes if size < half} | {half}))
        _log.warning("batches of %d do not fit the device; going on with %d", largest, half)

    def _function(self, versions: tuple[str, ...]) -> Any:
        """What runs these versions together."""
        if versions not in self._compiled:
            while len(self._compiled) >= SETS_HELD:
                del self._compiled[next(iter(self._compiled))]
            self._compiled[versions] = self._compile([self._networks[version] for version in versions])
        return self._compiled[versions]

    @abstractmethod
    def _network(self, card: ModelCard, weights: bytes) -> Any:
        """Make a network from its bundle."""

    @abstractmethod
    def _compile(self, networks: Sequence[Any]) -> Any:
        """Make what runs these networks on one batch."""

    @abstractmethod
    def _start(self, run: Any, batch: Pixels) -> Any:
        """Begin a batch of a fixed size; may return before it is done."""

    @abstractmethod
    def _finish(self, started: Any) -> Scores:
        """Wait for a batch and return its scores, (size, networks) float32."""

    @abstractmethod
    def _out_of_memory(self, error: Exception) -> bool:
        """Whether this error says that a batch is too large for the device."""
