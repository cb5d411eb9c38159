"""The same decisions, counted by kind, length and peak."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from core.wilson import wilson_interval
from cutouts.simulator import Truth

LENGTH_BINS_PX = (0.0, 10.0, 20.0, 30.0, 50.0, 80.0, 110.0, float("inf"))
PEAK_BINS_SIGMA = (0.0, 1.75, 2.25, 3.0, 4.0, 5.0, 7.0, 10.0, 20.0, float("inf"))
"""The second bin is what "a peak of 2 sigma" means."""


@dataclass(frozen=True, slots=True)
class Group:
    """Decisions on the cutouts of one group; `middle` is the median of what the group is a bin of."""

    name: str
    n: int
    called_1: int
    right: int
    low: float = float("nan")
    high: float = float("nan")
    middle: float = float("nan")

    @property
    def share_right(self) -> float:
        """The share of right decisions, 0 to 1; NaN in an empty group."""
        return self.right / self.n if self.n else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the share of right decisions."""
        return wilson_interval(self.right, self.n)


def by_kind(
    called: NDArray[np.bool_], labels: NDArray[np.bool_], truths: Sequence[Truth]
) -> dict[str, Group]:
    """Decisions by simulated kind; `called` and `labels` are (n,), in the order of the truths."""
    kinds = np.array([truth.kind for truth in truths])
    return {
        str(kind): _group(str(kind), kinds == kind, called, labels) for kind in sorted(set(kinds.tolist()))
    }


def by_length(
    called: NDArray[np.bool_], labels: NDArray[np.bool_], truths: Sequence[Truth]
) -> dict[str, Group]:
    """Decisions on streaks by length in px, in LENGTH_BINS_PX."""
    return _binned(lengths_px(truths), LENGTH_BINS_PX, called, labels)


def by_peak(
    called: NDArray[np.bool_], labels: NDArray[np.bool_], truths: Sequence[Truth]
) -> dict[str, Group]:
    """Decisions on streaks by the peak of their ridge in sigmas of the sky, in PEAK_BINS_SIGMA."""
    return _binned(peaks_sigma(truths), PEAK_BINS_SIGMA, called, labels)


def lengths_px(truths: Sequence[Truth]) -> NDArray[np.float64]:
    """Lengths, (n,) in px; NaN for what is no streak."""
    return np.array([np.nan if t.length_px is None else t.length_px for t in truths], np.float64)


def peaks_sigma(truths: Sequence[Truth]) -> NDArray[np.float64]:
    """Peaks, (n,) in sigmas of the sky; NaN for what is no streak."""
    return np.array([np.nan if t.peak_sigma is None else t.peak_sigma for t in truths], np.float64)


def _binned(
    values: NDArray[np.float64],
    edges: Sequence[float],
    called: NDArray[np.bool_],
    labels: NDArray[np.bool_],
) -> dict[str, Group]:
    """Half-open bins, low included; a NaN is in none."""
    found = {}
    for low, high in pairwise(edges):
        name = f"{low:g}-{high:g}" if np.isfinite(high) else f"{low:g}+"
        found[name] = _group(name, (values >= low) & (values < high), called, labels, values, (low, high))
    return found


def _group(
    name: str,
    chosen: NDArray[np.bool_],
    called: NDArray[np.bool_],
    labels: NDArray[np.bool_],
    values: NDArray[np.float64] | None = None,
    edges: tuple[float, float] = (float("nan"), float("nan")),
) -> Group:
    n = int(chosen.sum())
    return Group(
        name=name,
        n=n,
        called_1=int((called & chosen).sum()),
        right=int(((called == labels) & chosen).sum()),
        low=edges[0],
        high=edges[1],
        middle=float(np.median(values[chosen])) if values is not None and n else float("nan"),
    )
