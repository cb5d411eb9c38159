"""Decisions against the truth: the confusion matrix, its rates, and the area under the ROC curve."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidRequest
from models.training.labelled_images import LabelledImages

Scores = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]] | NDArray[np.bool_]

PEAK_BINS = (0.0, 2.0, 3.0, 5.0, 10.0, 1000.0)


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts of decisions: true negatives, false positives, false negatives, true positives.

    A rate is NaN where it would be a share of nothing.
    """

    tn: int
    fp: int
    fn: int
    tp: int

    @property
    def matrix(self) -> list[list[int]]:
        """[[true 0 called 0, true 0 called 1], [true 1 called 0, true 1 called 1]]."""
        return [[self.tn, self.fp], [self.fn, self.tp]]

    @property
    def tpr(self) -> float:
        """Completeness: the share of the ones that was called 1."""
        return share(self.tp, self.tp + self.fn)

    @property
    def tnr(self) -> float:
        """The share of the zeros that was called 0."""
        return share(self.tn, self.tn + self.fp)

    @property
    def precision(self) -> float:
        """The share of ones in what was called 1, at this data set's own balance."""
        return share(self.tp, self.tp + self.fp)


def checked(scores: Scores, labels: Labels) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores as float64 and labels as truth values, both (n,).

    Raises InvalidRequest unless both are of one length, every score is a number, every label is 0 or 1, and
    both classes are there.
    """
    values, truth = np.asarray(scores, np.float64), np.asarray(labels)
    if values.ndim != 1 or values.shape != truth.shape:
        raise InvalidRequest(f"scores {values.shape} and labels {truth.shape}; expected (n,) of each")
    if not np.isfinite(values).all():
        raise InvalidRequest(f"{int((~np.isfinite(values)).sum())} of {len(values)} scores are not finite")
    ones = truth == 1
    if not (ones | (truth == 0)).all():
        raise InvalidRequest(f"labels {np.unique(truth)[:5].tolist()}; expected 0 and 1")
    if ones.all() or not ones.any():
        raise InvalidRequest(f"{int(ones.sum())} ones and {int((~ones).sum())} zeros; expected some of both")
    return values, ones


def confusion(scores: Scores, labels: Labels, *, threshold: float) -> Confusion:
    """Count the decisions at a threshold; a score equal to it is called 1."""
    called = np.asarray(scores, np.float64) >= threshold
    truth = np.asarray(labels) == 1
    return Confusion(
        tn=int((~truth & ~called).sum()),
        fp=int((~truth & called).sum()),
        fn=int((truth & ~called).sum()),
        tp=int((truth & called).sum()),
    )


def area_under_roc(scores: Scores, labels: Labels) -> float:
    """The probability that a random 1 scores above a random 0, ties counting half; NaN without both classes.

    Exact, by mid-ranks: the Mann-Whitney statistic (Hanley and McNeil 1982, Radiology 143, 29).
    """
    values, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    rank = (last - (counts - 1) / 2)[inverse]
    ones = int((labels == 1).sum())
    zeros = len(labels) - ones
    if not ones or not zeros or not len(values):
        return float("nan")
    return float((rank[labels == 1].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def at_prevalence(*, tpr: float, tnr: float, positives: float) -> tuple[float, float]:
    """Precision, and the share of all cutouts that is called 1, where `positives` is the share of ones.

    Bayes's rule on rates that do not depend on the balance of the data set. Precision is NaN where nothing
    is called 1. Raises InvalidRequest for a share outside 0..1.
    """
    if not 0 <= positives <= 1:
        raise InvalidRequest(f"share of positives is {positives}; expected 0 to 1")
    passed = positives * tpr + (1 - positives) * (1 - tnr)
    return share(positives * tpr, passed), passed


def share(part: float, whole: float) -> float:
    """A part of a whole, or NaN where there is no whole."""
    return part / whole if whole else float("nan")


def figures(scores: Scores, data: LabelledImages, *, threshold: float = 0.5) -> dict[str, Any]:
    """Confusion matrix, [[true 0 called 0, true 0 called 1], [true 1 called 0, true 1 called 1]], and rates.

    `by_kind` gives, for each simulated kind, how many there are and how many were called 1;
    `streaks_by_peak_sigma` the same for bins of the streaks' peak. Both are empty without truths.
    """
    counts = confusion(scores, data.labels, threshold=threshold)
    called = np.asarray(scores, np.float64) >= threshold
    kinds = np.array([str(t.kind) for t in data.truths])
    peaks = np.array([-1.0 if t.peak_sigma is None else t.peak_sigma for t in data.truths])

    def of(chosen: NDArray[np.bool_]) -> dict[str, int]:
        return {"n": int(chosen.sum()), "called_1": int((called & chosen).sum())}

    return {
        "n": len(scores),
        "threshold": threshold,
        "confusion_matrix": counts.matrix,
        "auc": round(area_under_roc(scores, data.labels), 5),
        "tpr": round(counts.tp / max(1, counts.tp + counts.fn), 5),
        "tnr": round(counts.tn / max(1, counts.tn + counts.fp), 5),
        "by_kind": {kind: of(kinds == kind) for kind in sorted(set(kinds.tolist()))},
        "streaks_by_peak_sigma": {
            f"{low:g}-{high:g}": of((peaks >= low) & (peaks < high))
            for low, high in (pairwise(PEAK_BINS) if data.truths else ())
        },
    }
