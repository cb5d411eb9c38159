"""Which share of the true ones a threshold keeps, as a version's card tells it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from core.wilson import wilson_interval

STEPS = 100
"""Thresholds that a curve is told at: from 0 to 1, both included."""
FIGURE = "ones_by_threshold"
"""The key of a benchmark's figures that holds how many true ones score at or above each of them."""


@dataclass(frozen=True)
class Kept:
    """The share of true ones that is kept, and its 95 % interval (Wilson's)."""

    share: float
    low: float
    high: float


def completeness(figures: Mapping[str, Any]) -> list[Kept] | None:
    """What each of the thresholds keeps of a benchmark's true ones; None where its figures don't tell.

    Figures of before FIGURE tell it at some thresholds only. What lies between two of them is between what
    these keep: its share is the middle, and its interval has room for both.
    """
    matrix = figures.get("confusion_matrix")
    ones = sum(matrix[1]) if matrix else 0
    if not ones:
        return None
    counts = figures.get(FIGURE)
    if counts is not None and len(counts) == STEPS + 1:
        return [_between(count, count, ones) for count in counts]
    known = _known(figures, ones)
    return [_between(*_around(known, step / STEPS), ones) for step in range(STEPS + 1)]


def _known(figures: Mapping[str, Any], ones: int) -> list[tuple[float, int]]:
    """(threshold, true ones at or above it), rising in the threshold, as other figures tell."""
    known = [(0.0, ones), (float(figures["threshold"]), figures["confusion_matrix"][1][1])]
    points: Mapping[str, Sequence[Mapping[str, Any]]] = figures.get("thresholds") or {}
    known += [
        (point["threshold"], round(point["tpr"] * ones))
        for point in (*points.get("tpr", ()), *points.get("tnr", ()))
        if point.get("threshold") is not None
    ]
    bins: Sequence[Mapping[str, Any]] = (figures.get("calibration") or {}).get("bins", ())
    below = accumulate((each["ones"] for each in bins), initial=0)
    known += [(each["low"], ones - count) for each, count in zip(bins, below, strict=False)]
    return sorted(known, key=lambda at: (at[0], -at[1]))


def _around(known: Sequence[tuple[float, int]], threshold: float) -> tuple[int, int]:
    """The fewest and the most that a threshold may keep."""
    most = [count for at, count in known if at <= threshold]
    fewest = [count for at, count in known if at >= threshold]
    return (max(fewest) if fewest else 0), min(most)


def _between(fewest: int, most: int, ones: int) -> Kept:
    low, high = wilson_interval(min(fewest, most), ones)[0], wilson_interval(max(fewest, most), ones)[1]
    return Kept((fewest + most) / 2 / ones, low, high)
