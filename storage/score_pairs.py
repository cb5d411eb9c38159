"""The scores that two versions gave the same cutouts: those of a job, of a filter, or all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from core.job import Job
from storage.database import Document
from storage.record import Record
from storage.results import results_by_shard
from storage.selection import PATIENCE_MS, matching

_AT_ONCE = 2000


@dataclass(frozen=True, order=True)
class Change:
    """One cutout, and its scores by both versions; `size` is how far they are apart."""

    size: float
    cutout: str
    before: float
    after: float


Part = tuple[list[Change], int]
"""Some cutouts that both versions have scored, and how many others one of them, or both, have not."""


def pairs_of_job(record: Record, job: Job, before: str, after: str) -> Iterator[Part]:
    """Those of each shard of a job; a cutout that is in it twice comes twice."""
    asked = replace(job, versions=(before, after))
    for results in results_by_shard(record, asked, record.models.thresholds(asked.versions)):
        found = [
            change(str(result.cutout), old, new)
            for result in results
            if (old := result.scores.get(before)) is not None
            and (new := result.scores.get(after)) is not None
        ]
        yield found, len(results) - len(found)


def pairs_of_filter(record: Record, text: str, before: str, after: str) -> Iterator[Part]:
    """Those of the cutouts that a bound filter is true of."""
    for chunk in matching(record, text, slowest_ms=PATIENCE_MS):
        yield _joined(record, [document["_id"] for document in chunk.documents], before, after)


def pairs_of_all(record: Record, before: str, after: str) -> Iterator[Part]:
    """Those of all cutouts that one of the versions has an outcome of; read from the one that has fewer."""
    outcomes = record.database["outcomes"]
    counts = {
        version: outcomes.count_documents({"_id.version": version}, maxTimeMS=PATIENCE_MS)
        for version in (before, after)
    }
    fewer = min(counts, key=counts.__getitem__)
    n = 0
    names = (d["_id"]["cutout"] for d in outcomes.find({"_id.version": fewer}, {"_id": True}))
    while batch := list(islice(names, _AT_ONCE)):
        found, _ = _joined(record, batch, before, after)
        n += len(found)
        yield found, 0
    yield [], max(counts.values()) - n


def pairs_of_some(record: Record, before: str, after: str, *, most: int) -> tuple[Iterator[Part], bool]:
    """All where one of the versions has `most` outcomes or fewer, and else those among `most` cutouts.

    The second value says that these are a random sample. Neither takes longer for a larger record.
    """
    outcomes, cutouts = record.database["outcomes"], record.database["cutouts"]
    counts = {
        version: outcomes.count_documents({"_id.version": version}, limit=most + 1)
        for version in (before, after)
    }
    fewer = min(counts, key=counts.__getitem__)
    if counts[fewer] <= most:
        found = outcomes.find({"_id.version": fewer}, {"_id": True})
        return _in_batches(record, (d["_id"]["cutout"] for d in found), before, after), False
    stages: list[Document] = [{"$sample": {"size": most}}, {"$project": {"_id": True}}]
    drawn = cutouts.aggregate(stages, maxTimeMS=PATIENCE_MS)
    return _in_batches(record, (str(d["_id"]) for d in drawn), before, after), True


def _in_batches(record: Record, cutouts: Iterator[str], before: str, after: str) -> Iterator[Part]:
    while batch := list(islice(cutouts, _AT_ONCE)):
        yield _joined(record, batch, before, after)


def change(cutout: str, before: float, after: float) -> Change:
    """The change of one cutout."""
    return Change(abs(after - before), cutout, before, after)


def _joined(record: Record, cutouts: Sequence[str], before: str, after: str) -> Part:
    scores = {key: outcome.score for key, outcome in record.outcomes.find(cutouts, (before, after)).items()}
    found = [
        change(cutout, old, new)
        for cutout in cutouts
        if (old := scores.get((cutout, before))) is not None
        and (new := scores.get((cutout, after))) is not None
    ]
    return found, len(cutouts) - len(found)
