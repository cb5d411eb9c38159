"""Results of a job: its items, in their order, joined with the outcomes of their cutouts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from core.decision import best_members, is_plausible
from core.errors import InvalidRequest
from core.job import Item, Job, JobState, Rejection
from core.legacy import is_legacy
from core.outcome import Departure, Outcome
from storage.cutouts import CutoutRecord
from storage.record import Record


@dataclass(frozen=True, order=True)
class Cursor:
    """A place between two items of a job: the next shard and the next item in it."""

    shard: int = 0
    index: int = 0

    @classmethod
    def parse(cls, text: str | None) -> "Cursor":
        """Read what `str` wrote; the beginning for None. Raises InvalidRequest for anything else."""
        if text is None:
            return cls()
        shard, _, index = text.partition(".")
        if not (shard.isdecimal() and index.isdecimal() and len(text) <= 20):
            raise InvalidRequest(f"cursor {text[:40]!r}; expected the `next` of the page before")
        return cls(int(shard), int(index))

    def __str__(self) -> str:
        return f"{self.shard}.{self.index}"


@dataclass(frozen=True)
class Result:
    """What became of one item.

    Parameters
    ----------
    name, cutout : of the item; the cutout is None while a reference has not been read.
    sha256 : of the item's bytes, as far as they are known: others may own the cutout's id.
    scores : by model version, 0..1; a version that gave none is missing.
    plausible : by the decision rule over the job's versions; None when one of them gave no score.
    rejection : why there are no scores.
    pending : some version has neither score nor rejection yet.
    instrument : the profile that the cutout was read by; None while it has not been scored.
    uncalibrated : in what it departs from the cutouts that the networks were trained on.
    not_run : versions that were not asked, because rb's score was below the floor of the job's cascade.
    """

    name: str
    cutout: str | None
    sha256: str | None = None
    scores: dict[str, float] = field(default_factory=dict)
    plausible: bool | None = None
    rejection: Rejection | None = None
    pending: bool = False
    instrument: str | None = None
    uncalibrated: tuple[Departure, ...] = ()
    not_run: tuple[str, ...] = ()

    def best(self, classifier: str) -> tuple[str, float] | None:
        """(version, score) of a classifier: the highest where a job asked several of its versions."""
        return best_members(self.scores).get(classifier)


@dataclass(frozen=True)
class Page:
    """Some results and where the next page begins; None at the end."""

    results: list[Result]
    next: Cursor | None


def read_results(record: Record, job: Job, *, start: Cursor, limit: int, pending: bool = False) -> Page:
    """At most `limit` results from `start` on; items without an outcome only when `pending` is asked for.

    A page costs memory for one shard and one page, however large the job.
    """
    thresholds = record.models.thresholds(job.versions)
    results: list[Result] = []
    for cursor, items in _shards(record, job, start):
        for offset, result in enumerate(joined(record, items, job.versions, thresholds)):
            if len(results) == limit:
                return Page(results, Cursor(cursor.shard, cursor.index + offset))
            if pending or not result.pending:
                results.append(result)
    return Page(results, None)


def results_by_shard(record: Record, job: Job, thresholds: Mapping[str, float]) -> Iterator[list[Result]]:
    """All results of a job in the order of its items, a shard's at a time, decided by these thresholds."""
    for _, items in _shards(record, job, Cursor()):
        yield joined(record, items, job.versions, thresholds)


def job_items(record: Record, job: Job) -> Iterator[Item]:
    """The items of a job that are cutouts on record, in their order."""
    for _, items in _shards(record, job, Cursor()):
        yield from (item for item in items if item.cutout is not None and item.rejection is None)


def results_of_shards(
    record: Record, job: Job, numbers: Sequence[int], thresholds: Mapping[str, float]
) -> Iterator[list[Result]]:
    """The same of these shards alone."""
    for n in numbers:
        yield joined(record, record.shards.items(job.id, n) or [], job.versions, thresholds)


def _shards(record: Record, job: Job, start: Cursor) -> Iterator[tuple[Cursor, list[Item]]]:
    """The items of each shard from a place on, and where the first of them is."""
    planned = record.shards.last(job.id) if job.state is JobState.PLANNING else None
    for n in range(start.shard, job.shards if planned is None else planned[0] + 1):
        index = start.index if n == start.shard else 0
        items = record.shards.items(job.id, n) or []
        yield Cursor(n, index), items[index:]


def joined(
    record: Record, items: Sequence[Item], versions: Sequence[str], thresholds: Mapping[str, float]
) -> list[Result]:
    """The results of items, in their order, by these versions; also of those without an outcome yet.

    Outcomes count where the bytes under their id are the item's; those of legacy versions belong to the id.
    """
    known = [item for item in items if item.cutout is not None and item.rejection is None]
    outcomes = record.outcomes.find({str(item.cutout) for item in known}, versions)
    named = [CutoutRecord(str(item.cutout), item.sha256) for item in known if item.cutout != item.sha256]
    owners = record.cutouts.conflicts(named) if named else {}
    legacy = {key: outcome for key, outcome in outcomes.items() if is_legacy(outcome.version)}
    return [
        _result(item, outcomes if _is_own(item, owners) else legacy, versions, thresholds) for item in items
    ]


def _is_own(item: Item, owners: dict[str, str]) -> bool:
    """Whether the outcomes under the item's id are of its own bytes, as far as they have been read."""
    return item.sha256 is not None and owners.get(item.cutout or "", item.sha256) == item.sha256


def _result(
    item: Item,
    outcomes: dict[tuple[str, str], Outcome],
    versions: Sequence[str],
    thresholds: Mapping[str, float],
) -> Result:
    if item.rejection is not None:
        return Result(item.name, item.cutout, item.sha256, rejection=item.rejection)
    found = [
        outcomes[key] for v in versions if item.cutout is not None and (key := (item.cutout, v)) in outcomes
    ]
    scores = {outcome.version: outcome.score for outcome in found if outcome.score is not None}
    has = {outcome.version for outcome in found}
    told = {version for outcome in found for version in outcome.not_run}
    not_run = tuple(version for version in versions if version in told and version not in has)
    return Result(
        name=item.name,
        cutout=item.cutout,
        sha256=item.sha256,
        scores=scores,
        plausible=is_plausible(scores, thresholds, not_run=not_run),
        rejection=next((outcome.rejection for outcome in found if outcome.rejection is not None), None),
        pending=len(found) + len(not_run) < len(versions),
        instrument=next((outcome.instrument for outcome in found if outcome.instrument is not None), None),
        uncalibrated=next((outcome.uncalibrated for outcome in found if outcome.uncalibrated), ()),
        not_run=not_run,
    )
