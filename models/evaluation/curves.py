"""Figures over all thresholds: the ROC and precision-recall curves, and the threshold for a wanted rate."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidRequest
from models.evaluation.figures import Labels, Scores, checked

POINTS = 300
_ROUNDING = 1e-9  # 0.07 x 100 is 7.000000000000001, and asks for 7 of 100

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RocCurve:
    """False and true positive rates, (n,) in 0..1 and rising, from nothing called 1 to everything.

    `threshold` falls; its first value is infinite.
    """

    fpr: Values
    tpr: Values
    threshold: Values


@dataclass(frozen=True, slots=True)
class PrecisionRecallCurve:
    """Recall, (n,) and rising, and precision, both in 0..1, at falling thresholds.

    The first point is the highest score, the last calls everything 1. `average_precision` is the sum of
    precision x step in recall over all thresholds, without interpolation.
    """

    recall: Values
    precision: Values
    threshold: Values
    average_precision: float


def roc_curve(scores: Scores, labels: Labels, *, points: int = POINTS) -> RocCurve:
    """The ROC curve: its corners, or at most about this many of them, among them both ends.

    Those kept are spread over small false positive rates too, for an axis in decades. Raises InvalidRequest
    as `checked` does.
    """
    threshold, tp, fp = _cumulative(*checked(scores, labels))
    tpr, fpr = np.append(0, tp / tp[-1]), np.append(0, fp / fp[-1])
    decades = np.log10(np.maximum(fpr, 0.5 / fp[-1]))
    kept = _thinned(points, fpr, tpr, decades)
    return RocCurve(fpr[kept], tpr[kept], np.append(np.inf, threshold)[kept])


def precision_recall_curve(scores: Scores, labels: Labels, *, points: int = POINTS) -> PrecisionRecallCurve:
    """The precision-recall curve, thinned as `roc_curve` is; its average precision is of all points.

    Raises InvalidRequest as `checked` does.
    """
    threshold, tp, fp = _cumulative(*checked(scores, labels))
    recall, precision = tp / tp[-1], tp / (tp + fp)
    average = float((np.diff(recall, prepend=0) * precision).sum())
    kept = _thinned(points, recall, precision)
    return PrecisionRecallCurve(recall[kept], precision[kept], threshold[kept], average)


def threshold_for_tpr(scores: Scores, labels: Labels, wanted: float) -> float:
    """The highest threshold at which at least this share of the ones is called 1: the score of one of them.

    Raises InvalidRequest unless 0 < wanted <= 1, and as `checked` does.
    """
    values, truth = checked(scores, labels)
    _refuse_outside(wanted)
    ones = np.sort(values[truth])[::-1]
    return float(ones[max(1, _at_least(wanted, len(ones))) - 1])


def threshold_for_tnr(scores: Scores, labels: Labels, wanted: float) -> float:
    """The lowest score at which at least this share of the zeros is called 0.

    Infinite where only calling nothing 1 would do. Raises InvalidRequest unless 0 < wanted <= 1, and as
    `checked` does.
    """
    values, truth = checked(scores, labels)
    _refuse_outside(wanted)
    zeros = np.sort(values[~truth])
    above = values[values > zeros[_at_least(wanted, len(zeros)) - 1]]
    return float(above.min()) if len(above) else float("inf")


def _at_least(wanted: float, of: int) -> int:
    return max(1, int(np.ceil(wanted * of - _ROUNDING)))


def _refuse_outside(wanted: float) -> None:
    if not 0 < wanted <= 1:
        raise InvalidRequest(f"wanted rate is {wanted}; expected more than 0 and at most 1")


def _cumulative(values: Values, truth: NDArray[np.bool_]) -> tuple[Values, Values, Values]:
    """Each distinct score, falling, with the ones and the zeros that are at least it."""
    order = np.argsort(-values, kind="stable")
    ordered, ones = values[order], truth[order]
    last = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    tp = np.cumsum(ones)[last].astype(np.float64)
    return ordered[last], tp, (last + 1) - tp


def _thinned(points: int, x: Values, y: Values, *also: Values) -> NDArray[np.intp]:
    """Indices to keep: the corners, and of too many corners those at even steps along the curve."""
    turn = np.abs(np.diff(x)[1:] * np.diff(y)[:-1] - np.diff(x)[:-1] * np.diff(y)[1:]) > 0
    corners = np.flatnonzero(np.concatenate([[True], turn, [True]])) if len(x) > 2 else np.arange(len(x))
    if len(corners) <= points:
        return corners
    length = np.zeros(len(corners))
    for coordinate in (x, y, *also):
        steps = np.abs(np.diff(coordinate[corners], prepend=coordinate[0]))
        length += np.cumsum(steps) / max(float(steps.sum()), 1e-300)
    chosen = np.searchsorted(length, np.linspace(0, length[-1], points))
    kept: NDArray[np.intp] = corners[
        np.unique(np.concatenate([[0], np.minimum(chosen, len(corners) - 1), [len(corners) - 1]]))
    ]
    return kept
