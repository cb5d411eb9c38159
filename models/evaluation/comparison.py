"""Two versions on the same cutouts: how far scores moved, and which decisions changed."""

from dataclasses import dataclass
from math import comb

import numpy as np

from core.errors import InvalidRequest
from models.evaluation.figures import Labels, Scores, area_under_roc, confusion


@dataclass(frozen=True, slots=True)
class AgainstTruth:
    """What changed for better and worse, where the truth is known.

    `p_value` is of McNemar's exact test (1947, Psychometrika 12, 153) that mended and broken are as likely.
    """

    mended: int
    broken: int
    p_value: float
    auc_before: float
    auc_after: float
    tpr_before: float
    tpr_after: float
    tnr_before: float
    tnr_after: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Score after minus score before, over n cutouts; `farthest` is the index of the largest change."""

    n: int
    mean_delta: float
    mean_absolute_delta: float
    max_absolute_delta: float
    farthest: int
    flipped_to_1: int
    flipped_to_0: int
    against_truth: AgainstTruth | None


def compare(
    before: Scores,
    after: Scores,
    *,
    threshold_before: float = 0.5,
    threshold_after: float = 0.5,
    labels: Labels | None = None,
) -> Comparison:
    """Compare two versions' scores, (n,) each, in the same order; each decides by its own threshold.

    Raises InvalidRequest for none, for lengths that differ, or for scores that are not finite.
    """
    old, new = np.asarray(before, np.float64), np.asarray(after, np.float64)
    if old.ndim != 1 or old.shape != new.shape or not len(old):
        raise InvalidRequest(f"scores {old.shape} before and {new.shape} after; expected (n,) of each")
    if labels is not None and np.shape(labels) != old.shape:
        raise InvalidRequest(f"labels {np.shape(labels)} of scores {old.shape}; expected one of each score")
    delta = new - old
    if not np.isfinite(delta).all():
        raise InvalidRequest(f"{int((~np.isfinite(delta)).sum())} of {len(delta)} scores are not finite")
    called_before, called_after = old >= threshold_before, new >= threshold_after
    farthest = int(np.abs(delta).argmax())
    against = None
    if labels is not None:
        truth = np.asarray(labels) == 1
        mended = int(((called_before != truth) & (called_after == truth)).sum())
        broken = int(((called_before == truth) & (called_after != truth)).sum())
        counts_before = confusion(old, truth, threshold=threshold_before)
        counts_after = confusion(new, truth, threshold=threshold_after)
        against = AgainstTruth(
            mended=mended,
            broken=broken,
            p_value=mcnemar_exact(mended, broken),
            auc_before=area_under_roc(old, truth),
            auc_after=area_under_roc(new, truth),
            tpr_before=counts_before.tpr,
            tpr_after=counts_after.tpr,
            tnr_before=counts_before.tnr,
            tnr_after=counts_after.tnr,
        )
    return Comparison(
        n=len(delta),
        mean_delta=float(delta.mean()),
        mean_absolute_delta=float(np.abs(delta).mean()),
        max_absolute_delta=float(abs(delta[farthest])),
        farthest=farthest,
        flipped_to_1=int((~called_before & called_after).sum()),
        flipped_to_0=int((called_before & ~called_after).sum()),
        against_truth=against,
    )


def mcnemar_exact(mended: int, broken: int) -> float:
    """The two-sided binomial probability of a split at least as uneven, in integers; 1 where none changed."""
    n, fewer = mended + broken, min(mended, broken)
    term = total = comb(n, 0)
    for k in range(1, fewer + 1):
        term = term * (n - k + 1) // k
        total += term
    return min(1.0, float(2 * total / (1 << n)))
