"""JAX in a faster precision than float32, for networks that are admitted in it."""

import logging
from collections.abc import Sequence

from core.errors import Misconfigured
from core.model_card import ModelCard
from worker.admission import PROBES, difference, probes
from worker.jax_engine import JaxEngine, Precision

_log = logging.getLogger(__name__)
BATCH = 500


class AdmittedEngine(JaxEngine):
    """Compares each network's scores with those in float32 before it is used.

    Parameters
    ----------
    strict : whether a network that is not admitted is refused; else all are scored in float32 from then on.
    count : cutouts that are compared.
    """

    def __init__(
        self, batch_sizes: Sequence[int], *, precision: Precision, strict: bool, count: int = PROBES
    ) -> None:
        super().__init__(batch_sizes, precision=precision)
        self._strict, self._count = strict, count
        self._sources: dict[str, tuple[ModelCard, bytes]] = {}

    def load(self, card: ModelCard, weights: bytes) -> None:
        """Hold one more network; raises Misconfigured where it is strict and the network is not admitted."""
        self._sources[card.version] = card, weights
        if self.precision != "float32":
            refused = self._refused(card, weights)
            if refused is not None and self._strict:
                self.drop(card.version)
                raise Misconfigured(f"{card.version} is not scored in {self.precision}: {refused}")
            if refused is not None:
                _log.warning("scoring in float32, as %s in %s: %s", card.version, self.precision, refused)
                self._turn_to_float32()
        super().load(card, weights)

    def drop(self, version: str) -> None:
        """Hold a network no longer."""
        self._sources.pop(version, None)
        super().drop(version)

    def _refused(self, card: ModelCard, weights: bytes) -> str | None:
        """Why a network is not admitted."""
        pixels = probes(self._count)
        exact, fast = (JaxEngine((BATCH,), precision=one) for one in ("float32", self.precision))
        exact.load(card, weights)
        try:
            fast.load(card, weights)
        except Misconfigured as error:
            return str(error)
        scores, expected = (engine.score(pixels, [card.version]) for engine in (fast, exact))
        found = difference(scores, expected, card.threshold)
        _log.info("%s in %s: %s", card.version, self.precision, found)
        return None if found.admitted else str(found)

    def _turn_to_float32(self) -> None:
        self.precision = "float32"
        self._compiled.clear()
        for version in self.versions:
            self._networks[version] = self._network(*self._sources[version])
