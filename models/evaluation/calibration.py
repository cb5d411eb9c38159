"""Whether a score of 0.8 means that 8 of 10 are real."""

from dataclasses import dataclass

import numpy as np

from core.errors import InvalidRequest
from core.wilson import wilson_interval
from models.evaluation.figures import Labels, Scores, checked


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Cutouts with a score in a bin: their mean score beside the share of ones; NaN where there are none."""

    low: float
    high: float
    n: int
    ones: int
    mean_score: float

    @property
    def share_of_1(self) -> float:
        """The share of ones, 0 to 1."""
        return self.ones / self.n if self.n else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the share of ones."""
        return wilson_interval(self.ones, self.n)


@dataclass(frozen=True, slots=True)
class Calibration:
    """A reliability diagram and what it sums up to; it holds at the balance of classes that it was made at.

    `expected_error` is the mean distance of mean score and share of ones, weighted by the bins' counts
    (Naeini et al. 2015, AAAI); `brier` the mean squared error of the scores (Brier 1950, MWR 78, 1).
    """

    bins: list[ReliabilityBin]
    expected_error: float
    brier: float


def calibration(scores: Scores, labels: Labels, *, bins: int = 10) -> Calibration:
    """Reliability in this many bins of equal width over 0..1; a score of exactly 1 is in the last.

    Raises InvalidRequest for scores outside 0..1, and as `checked` does.
    """
    values, truth = checked(scores, labels)
    if values.min() < 0 or values.max() > 1:
        raise InvalidRequest(f"scores from {values.min():g} to {values.max():g}; expected 0 to 1")
    edges = np.linspace(0, 1, bins + 1)
    index = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, bins - 1)
    n = np.bincount(index, minlength=bins)
    ones = np.bincount(index, weights=truth, minlength=bins)
    total = np.bincount(index, weights=values, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean = total / n
    found = [
        ReliabilityBin(float(edges[i]), float(edges[i + 1]), int(n[i]), int(ones[i]), float(mean[i]))
        for i in range(bins)
    ]
    return Calibration(
        bins=found,
        expected_error=float(np.abs(total - ones).sum() / len(values)),
        brier=float(np.mean((values - truth) ** 2)),
    )
