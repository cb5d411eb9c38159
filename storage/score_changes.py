"""What one version changes against another on cutouts whose truth nobody knows."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from core.decision import checked_threshold
from core.errors import InvalidRequest, NotFound
from core.job import Job
from core.legacy import question_of
from storage.record import Record
from storage.score_pairs import Change, Part, pairs_of_all, pairs_of_filter, pairs_of_job, pairs_of_some
from storage.selection import EVERYTHING, bound_text

BINS = 2000
"""Of the distribution from -1 to 1: its quantiles are exact to a thousandth."""

SHOWN_BINS = 40
CELLS = 20
"""A side of the grid of scores by scores."""

MOST_CHANGED = 24
MOST_FLIPPED = 12
CLOSE = (0.001, 0.01)
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


@dataclass(frozen=True)
class ScoreChanges:
    """How scores moved; `delta` is after minus before.

    Parameters
    ----------
    n, without : cutouts that both versions have scored, and those that one of them, or both, have not.
    mean, mean_absolute, largest : of the delta; the last two of its size.
    correlation : of the scores, Pearson's; None where one of them does not vary.
    within : the share of cutouts whose delta is at most 0.001 and 0.01 in size.
    quantiles : of the delta, to a thousandth.
    histogram : cutouts by delta, SHOWN_BINS of equal width from -1 to 1.
    grid : cutouts by their scores, CELLS by CELLS of equal width from 0 to 1; a row for each step of `after`.
    called_1 : cutouts that each version calls 1, by these thresholds.
    to_1, to_0 : decisions that flip.
    most_changed, most_to_1, most_to_0 : of all, and of those that flip; the largest deltas first.
    """

    before: str
    after: str
    thresholds: tuple[float, float]
    n: int
    without: int
    mean: float | None
    mean_absolute: float | None
    largest: float | None
    correlation: float | None
    within: dict[str, float]
    quantiles: dict[str, float]
    histogram: list[int]
    grid: list[list[int]]
    called_1: tuple[int, int]
    to_1: int
    to_0: int
    most_changed: list[Change]
    most_to_1: list[Change]
    most_to_0: list[Change]


def score_changes(
    record: Record, job: Job, before: str, after: str, *, threshold: float | None = None
) -> ScoreChanges:
    """Compare two versions' scores of a job's cutouts, in bounded memory however many there are.

    Both decide by `threshold`, or each by its own. A cutout that is in the job twice counts twice. Raises
    NotFound for a version that is not registered and InvalidRequest for a job that scores nothing or two
    versions of different classifiers.
    """
    if job.kind == "train":
        raise InvalidRequest(f"job {job.id} trains; expected one that scores")
    thresholds = _checked(record, before, after, threshold)
    return _changes(pairs_of_job(record, job, before, after), before, after, thresholds)


def cutout_changes(
    record: Record, text: str, before: str, after: str, *, threshold: float | None = None
) -> ScoreChanges:
    """Compare two versions' scores of the cutouts that a filter is true of; without one, of all.

    Otherwise as `score_changes`. Raises InvalidRequest for what is no filter.
    """
    thresholds = _checked(record, before, after, threshold)
    bound = bound_text(record, text)
    pairs = (
        pairs_of_all(record, before, after)
        if bound == EVERYTHING
        else pairs_of_filter(record, bound, before, after)
    )
    return _changes(pairs, before, after, thresholds)


def sampled_changes(record: Record, before: str, after: str, *, most: int) -> tuple[ScoreChanges, bool]:
    """The same on all cutouts, or, where both versions have scored more than `most`, on a random sample.

    The second value says that it is one.
    """
    thresholds = _checked(record, before, after, None)
    pairs, is_sample = pairs_of_some(record, before, after, most=most)
    return _changes(pairs, before, after, thresholds), is_sample


def _checked(record: Record, before: str, after: str, threshold: float | None) -> tuple[float, float]:
    """The thresholds to decide by, once both versions are known to answer one question."""
    cards = {version: record.models.get(version) for version in (before, after)}
    for version, card in cards.items():
        if card is None:
            raise NotFound(f"model version {version!r} is not registered")
    if len({question_of(card.classifier) for card in cards.values() if card is not None}) > 1:
        raise InvalidRequest(f"{before} and {after} are of two classifiers; expected two of one")
    if threshold is not None:
        return checked_threshold(threshold), threshold
    own = record.models.thresholds((before, after))
    return own[before], own[after]


def _changes(pairs: Iterable[Part], before: str, after: str, thresholds: tuple[float, float]) -> ScoreChanges:
    counts = np.zeros(BINS, np.int64)
    grid = np.zeros((CELLS, CELLS), np.int64)
    close = dict.fromkeys(CLOSE, 0)
    moments = _Moments()
    largest, to_1, to_0 = _Largest(MOST_CHANGED), _Largest(MOST_FLIPPED), _Largest(MOST_FLIPPED)
    absolute = 0.0
    without = called_before = called_after = 0
    for found, missing in pairs:
        without += missing
        for change in found:
            counts[_place((change.after - change.before + 1) / 2, BINS)] += 1
            grid[_place(change.after, CELLS), _place(change.before, CELLS)] += 1
            moments.add(change.before, change.after)
            absolute += change.size
            was, now = change.before >= thresholds[0], change.after >= thresholds[1]
            called_before, called_after = called_before + was, called_after + now
            if was != now:
                (to_1 if now else to_0).add(change)
            for limit in CLOSE:
                close[limit] += change.size <= limit
            largest.add(change)
    n = moments.n
    most = largest.in_order()
    return ScoreChanges(
        before=before,
        after=after,
        thresholds=thresholds,
        n=n,
        without=without,
        mean=moments.mean_after - moments.mean_before if n else None,
        mean_absolute=absolute / n if n else None,
        largest=most[0].size if most else None,
        correlation=moments.correlation(),
        within={f"{limit:g}": number / n for limit, number in close.items()} if n else {},
        quantiles=_quantiles(counts),
        histogram=counts.reshape(SHOWN_BINS, -1).sum(axis=1).tolist(),
        grid=grid.tolist(),
        called_1=(called_before, called_after),
        to_1=to_1.n,
        to_0=to_0.n,
        most_changed=most,
        most_to_1=to_1.in_order(),
        most_to_0=to_0.in_order(),
    )


class _Moments:
    """Means and products of pairs that come one at a time, by Welford's method, which cancels nothing.

    B. P. Welford, Technometrics 4 (1962), 419.
    """

    def __init__(self) -> None:
        self.n = 0
        self.mean_before = self.mean_after = 0.0
        self._before = self._after = self._both = 0.0

    def add(self, before: float, after: float) -> None:
        """Take in one pair."""
        self.n += 1
        from_before, from_after = before - self.mean_before, after - self.mean_after
        self.mean_before += from_before / self.n
        self.mean_after += from_after / self.n
        self._before += from_before * (before - self.mean_before)
        self._after += from_after * (after - self.mean_after)
        self._both += from_before * (after - self.mean_after)

    def correlation(self) -> float | None:
        """Pearson's; None where one of the two does not vary."""
        scale = sqrt(self._before * self._after)
        return self._both / scale if scale > 0 else None


class _Largest:
    """The largest changes of those that come one at a time, and how many came."""

    def __init__(self, most: int) -> None:
        self.n = 0
        self._most = most
        self._kept: list[Change] = []

    def add(self, change: Change) -> None:
        """Take in one change."""
        self.n += 1
        if len(self._kept) < self._most:
            heapq.heappush(self._kept, change)
        else:
            heapq.heappushpop(self._kept, change)

    def in_order(self) -> list[Change]:
        """Those kept, the largest first."""
        return sorted(self._kept, reverse=True)


def _place(share: float, steps: int) -> int:
    """In which of so many steps from 0 to 1 a value is; 1 is in the last."""
    return min(steps - 1, int(share * steps))


def _quantiles(counts: NDArray[np.int64]) -> dict[str, float]:
    n = int(counts.sum())
    if not n:
        return {}
    cumulative = np.cumsum(counts)
    middles = (np.arange(BINS) + 0.5) / BINS * 2 - 1
    return {
        f"{q:g}": round(float(middles[int(np.searchsorted(cumulative, q * n, side="left"))]), 4)
        for q in QUANTILES
    }
