"""How far figures would move on other cutouts of the same kind."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.wilson import wilson_interval
from models.evaluation.figures import Confusion, Labels, Scores, checked, confusion

Interval = tuple[float, float]

_CELLS = 2_000_000  # of one array in memory at a time
_ROUNDING = 1e-6  # of a count that a rate is turned back into


@dataclass(frozen=True, slots=True)
class Intervals:
    """Intervals, (low, high), of the area under the ROC curve and of the rates at a threshold."""

    auc: Interval
    tpr: Interval
    tnr: Interval


def bootstrap(
    scores: Scores,
    labels: Labels,
    *,
    threshold: float,
    seed: int,
    resamples: int = 1000,
    level: float = 0.95,
) -> Intervals:
    """Percentile intervals of the stratified bootstrap (Efron 1979, Ann. Statist. 7, 1).

    Each resample draws as many ones from the ones and zeros from the zeros as there are. A rate without a
    single error (or hit) would stay what it is in every resample, which promises too much: it gets Wilson's
    interval. Raises InvalidRequest as `checked` does.
    """
    values, truth = checked(scores, labels)
    found = []
    for distinct, ones, zeros in _resamples(values, truth, seed=seed, resamples=resamples):
        first_called = int(np.searchsorted(distinct, threshold))
        below = np.cumsum(zeros, axis=1) - zeros / 2
        pairs = float(truth.sum()) * float((~truth).sum())
        auc = (ones * below).sum(axis=1) / pairs
        tpr = ones[:, first_called:].sum(axis=1) / truth.sum()
        tnr = zeros[:, :first_called].sum(axis=1) / (~truth).sum()
        found.append(np.stack([auc, tpr, tnr], axis=1))
    (auc_low, tpr_low, tnr_low), (auc_high, tpr_high, tnr_high) = _ends(found, level).tolist()
    intervals = Intervals((auc_low, auc_high), (tpr_low, tpr_high), (tnr_low, tnr_high))
    return _without_false_certainty(intervals, confusion(values, truth, threshold=threshold), level)


def roc_band(
    scores: Scores,
    labels: Labels,
    fpr: NDArray[np.float64],
    *,
    seed: int,
    resamples: int = 400,
    level: float = 0.95,
) -> NDArray[np.float64]:
    """The ends, (2, m), of the interval of the true positive rate at each of (m,) false positive rates.

    Point by point, by the same bootstrap. Raises InvalidRequest as `checked` does.
    """
    values, truth = checked(scores, labels)
    found = []
    for _, ones, zeros in _resamples(values, truth, seed=seed, resamples=resamples):
        for tp, fp in zip(_called(ones), _called(zeros), strict=True):
            last = np.searchsorted(fp, np.asarray(fpr) * fp[-1] + _ROUNDING, side="right") - 1
            found.append(tp[last][np.newaxis] / tp[-1])
    return _ends(found, level)


def precision_band(
    scores: Scores,
    labels: Labels,
    recall: NDArray[np.float64],
    *,
    seed: int,
    resamples: int = 400,
    level: float = 0.95,
) -> NDArray[np.float64]:
    """The ends, (2, m), of the interval of the precision at each of (m,) recalls above 0, as `roc_band`."""
    values, truth = checked(scores, labels)
    found = []
    for _, ones, zeros in _resamples(values, truth, seed=seed, resamples=resamples):
        for tp, fp in zip(_called(ones), _called(zeros), strict=True):
            first = np.searchsorted(tp, np.asarray(recall) * tp[-1] - _ROUNDING, side="left")
            found.append((tp[first] / (tp[first] + fp[first]))[np.newaxis])
    return _ends(found, level)


def _called(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many are called 1 at falling thresholds, from none: (rows, groups + 1)."""
    return np.pad(np.cumsum(counts[:, ::-1], axis=1), ((0, 0), (1, 0)))


def _ends(found: list[NDArray[np.float64]], level: float) -> NDArray[np.float64]:
    """The two quantiles over resamples, (2, m), of figures that are (rows, m) each."""
    ends: NDArray[np.float64] = np.quantile(np.concatenate(found), [(1 - level) / 2, (1 + level) / 2], axis=0)
    return ends


def _resamples(
    values: NDArray[np.float64], truth: NDArray[np.bool_], *, seed: int, resamples: int
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]]:
    """The distinct scores, rising, and the ones and zeros at each in each resample, (rows, groups)."""
    distinct, group = np.unique(values, return_inverse=True)
    rng = np.random.default_rng(seed)
    rows = max(1, _CELLS // len(values))
    for start in range(0, resamples, rows):
        drawn = min(rows, resamples - start)
        ones = _resampled(rng, group[truth], drawn, len(distinct))
        yield distinct, ones, _resampled(rng, group[~truth], drawn, len(distinct))


def _resampled(
    rng: np.random.Generator, group: NDArray[np.intp], rows: int, groups: int
) -> NDArray[np.int64]:
    """How many of each group each resample drew, (rows, groups)."""
    drawn = group[rng.integers(0, len(group), (rows, len(group)))]
    drawn += np.arange(rows)[:, np.newaxis] * groups
    return np.bincount(drawn.ravel(), minlength=rows * groups).reshape(rows, groups)


def _without_false_certainty(found: Intervals, counts: Confusion, level: float) -> Intervals:
    tpr = found.tpr if counts.tp and counts.fn else wilson_interval(counts.tp, counts.tp + counts.fn, level)
    tnr = found.tnr if counts.tn and counts.fp else wilson_interval(counts.tn, counts.tn + counts.fp, level)
    return Intervals(found.auc, tpr, tnr)
