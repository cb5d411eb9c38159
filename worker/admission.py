"""Whether a network may be scored in another precision than float32."""

from dataclasses import dataclass

import numpy as np

from cutouts.recipes import Pixels
from cutouts.simulator import seeds_of
from models.training.drawing import drawn
from worker.engine import Scores

FLIPS = 1e-4
"""Decisions that may be others, of all."""
DELTA = 1e-3
"""What every score has to be nearer than."""
PROBES = 10_000
SYMMETRIES = 8
SEED = 20_260_101


@dataclass(frozen=True)
class Difference:
    """How far scores are from those in float32: the largest difference, and decisions that are others."""

    decisions: int
    largest: float
    flips: int

    @property
    def admitted(self) -> bool:
        """Whether that is little enough; a score that is no number never is."""
        return self.largest < DELTA and self.flips <= FLIPS * self.decisions

    def __str__(self) -> str:
        return (
            f"scores differ from float32's by up to {self.largest:.2g} and {self.flips} of {self.decisions:,}"
            f" decisions flip; at most {DELTA:g} and {FLIPS * self.decisions:.0f} are admitted"
        )


def difference(scores: Scores, exact: Scores, threshold: float | Scores) -> Difference:
    """Compare scores with those in float32, of the same shape."""
    flips = int(((scores >= threshold) != (exact >= threshold)).sum())
    return Difference(exact.size, float(np.abs(scores - exact).max()), flips)


def probes(count: int = PROBES) -> Pixels:
    """(count, 144, 144, 1) uint8 simulated cutouts of all kinds, each in its eight turns and mirrorings."""
    images = np.concatenate(
        [part for part, _ in drawn(seeds_of("rb-2018.9", count=-(-count // SYMMETRIES), seed=SEED))]
    )
    turned = [np.rot90(images, quarter, axes=(1, 2)) for quarter in range(4)]
    return np.concatenate([*turned, *(one[:, :, ::-1] for one in turned)])[:count]
