"""What one version changes against another on the cutouts of a job, whose truth nobody knows."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidRequest, NotFound
from core.job import Job
from storage.record import Record
from storage.results import results_by_shard

BINS = 2000
"""Of the distribution from -1 to 1: its quantiles are exact to a thousandth."""

SHOWN_BINS = 40
MOST_CHANGED = 24
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


@dataclass(frozen=True, order=True)
class Change:
    """One cutout, and its scores by both versions."""

    size: float
    cutout: str
    before: float
    after: float


@dataclass(frozen=True)
class ScoreChanges:
    """How scores moved; `delta` is after minus before.

    Parameters
    ----------
    n, without : cutouts that both versions have scored, and those that one of them has not.
    quantiles : of the delta, to a thousandth.
    histogram : cutouts by delta, SHOWN_BINS of equal width from -1 to 1.
    to_1, to_0 : decisions that flip, by each version's own threshold.
    most_changed : by the size of the delta, largest first.
    """

    before: str
    after: str
    thresholds: tuple[float, float]
    n: int
    without: int
    mean: float | None
    mean_absolute: float | None
    quantiles: dict[str, float]
    histogram: list[int]
    to_1: int
    to_0: int
    most_changed: list[Change]


def score_changes(record: Record, job: Job, before: str, after: str) -> ScoreChanges:
    """Compare two versions' scores of a job's cutouts, in bounded memory however many there are.

    A cutout that is in the job twice counts twice. Raises NotFound for a version that is not registered and
    InvalidRequest for a job that scores nothing or two versions of different classifiers.
    """
    if job.kind == "train":
        raise InvalidRequest(f"job {job.id} trains; expected one that scores")
    cards = {version: record.models.get(version) for version in (before, after)}
    for version, card in cards.items():
        if card is None:
            raise NotFound(f"model version {version!r} is not registered")
    if len({card.classifier for card in cards.values() if card is not None}) > 1:
        raise InvalidRequest(f"{before} and {after} are of two classifiers; expected two of one")
    thresholds = record.models.thresholds((before, after))
    counts = np.zeros(BINS, np.int64)
    largest: list[Change] = []
    total = absolute = 0.0
    n = without = to_1 = to_0 = 0
    for scores, missing in _scores(record, job, before, after):
        without += missing
        for change in scores:
            delta = change.after - change.before
            counts[min(BINS - 1, int((delta + 1) / 2 * BINS))] += 1
            total, absolute, n = total + delta, absolute + abs(delta), n + 1
            was, now = change.before >= thresholds[before], change.after >= thresholds[after]
            to_1, to_0 = to_1 + (now and not was), to_0 + (was and not now)
            _keep(largest, change)
    return ScoreChanges(
        before=before,
        after=after,
        thresholds=(thresholds[before], thresholds[after]),
        n=n,
        without=without,
        mean=total / n if n else None,
        mean_absolute=absolute / n if n else None,
        quantiles=_quantiles(counts),
        histogram=counts.reshape(SHOWN_BINS, -1).sum(axis=1).tolist(),
        to_1=to_1,
        to_0=to_0,
        most_changed=sorted(largest, reverse=True),
    )


def _scores(record: Record, job: Job, before: str, after: str) -> Iterator[tuple[list[Change], int]]:
    """The cutouts of each shard that both versions have scored, and how many others there are."""
    asked = replace(job, versions=(before, after))
    for results in results_by_shard(record, asked, record.models.thresholds(asked.versions)):
        found = []
        for result in results:
            old, new = result.scores.get(before), result.scores.get(after)
            if old is not None and new is not None:
                found.append(Change(abs(new - old), str(result.cutout), old, new))
        yield found, len(results) - len(found)


def _keep(largest: list[Change], change: Change) -> None:
    if len(largest) < MOST_CHANGED:
        heapq.heappush(largest, change)
    else:
        heapq.heappushpop(largest, change)


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
