"""What becomes of the items of one shard: outcomes go on record in groups, while the next batch is scored."""

import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from itertools import accumulate
from types import TracebackType

from core.cascade import gates
from core.job import Item, Job, Lease, Rejection, ShardResult
from core.outcome import Outcome
from cutouts.instruments import ZTF
from storage.cutouts import CutoutRecord
from storage.decisions import set_production
from storage.record import Record
from worker.metrics import count_outcomes, count_rejection, timed
from worker.networks import Scored
from worker.reader import ReadItem

GROUP_S = 0.25
GROUP_CUTOUTS = 500  # from here on a larger insert costs no less for each


@dataclass(frozen=True)
class Entry:
    """An item that was read, and its outcomes: none where they are on record already.

    `is_claimed`: it came under an id that is not its content's, and which other bytes may own.
    """

    index: int
    cutout: CutoutRecord
    is_claimed: bool
    precision: str
    outcomes: tuple[Outcome, ...] = ()


@dataclass(frozen=True)
class Written:
    """What became of a group: items whose id other bytes own, and outcomes that are on record as they are."""

    refused: dict[int, Rejection]
    outcomes: dict[tuple[str, str], Outcome]


class ShardLedger:
    """The outcomes of a shard that is being scored, or of several together, and the rejections of its items.

    An item's index is its place among those of all shards.

    What was added goes on record when a quarter of a second has passed since the last time, or 500 cutouts
    have come together: a fast device does not wait for a journal after each batch, and of a slow one, a
    process that is killed repeats one batch and the one that was being written. One write at a time is under
    way, in a thread; adding waits for the one before. What a write raises is raised by the next call.

    Parameters
    ----------
    job : whose versions, instrument and cascade are those of all of them.
    rejections : of items that are not to be read.
    provenance : stored with each outcome, beside its job, its shard and its precision.
    """

    def __init__(
        self,
        record: Record,
        job: Job,
        leases: Sequence[Lease],
        *,
        rejections: Mapping[int, Rejection],
        provenance: Mapping[str, object],
    ) -> None:
        self._record, self._job = record, job
        self._items = [item for lease in leases for item in lease.items]
        self._parts = _parts(leases)
        self._provenance = [
            {"job": lease.job, "shard": lease.n, **provenance} for lease in leases for _ in lease.items
        ]
        self._rejections = dict(rejections)
        self._instrument = (job.instrument or ZTF).name
        self._cutouts = _known_cutouts(self._items)
        self._learnt: dict[int, tuple[str, str]] = {}
        self._outcomes: dict[tuple[str, str], Outcome] = {}
        self._group: list[Entry] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="outcomes")
        self._writing: Future[Written] | None = None
        self._last_write = time.monotonic()

    def __enter__(self) -> "ShardLedger":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown()

    def add(self, batch: Sequence[ReadItem], scores: Scored, precision: str) -> None:
        """Note what was read, and what was scored of it in which precision."""
        for read in batch:
            self._note(read, scores.get(read.index, {}), precision)
        if time.monotonic() - self._last_write >= GROUP_S or len(self._group) >= GROUP_CUTOUTS:
            self._await_write()
            self._writing = self._thread.submit(copy_context().run, self._write, self._taken())

    def flush(self) -> None:
        """Return when everything that was added is on record."""
        self._await_write()
        if self._group:
            self._keep(self._write(self._taken()))

    def close(self) -> list[ShardResult]:
        """Count from the record what became of each shard's items, and bring production fields up to date.

        What was written just now is on record as it is; the rest is read.
        """
        self.flush()
        versions = self._job.versions
        cutouts = [cutout for i, cutout in self._cutouts.items() if i not in self._rejections]
        missing = {c for c in cutouts if self._open(c, self._outcomes)}
        read = self._record.outcomes.find(missing, versions)
        outcomes = self._outcomes | read
        if still_open := [c for c in cutouts if self._open(c, outcomes)]:
            raise KeyError(f"{len(still_open)} cutouts without an outcome, such as {still_open[0]}")
        set_production(self._record, versions, _scores(read))
        for rejection in self._rejections.values():
            count_rejection(rejection.stage, rejection.reason)
        return [self._result(part, outcomes) for part in self._parts]

    def _result(self, part: range, outcomes: Mapping[tuple[str, str], Outcome]) -> ShardResult:
        """Of one shard, by the indices that its items have in it."""
        cutouts = [self._cutouts[i] for i in part if i in self._cutouts and i not in self._rejections]
        found = ([outcomes.get((c, v)) for v in self._job.versions] for c in cutouts)
        scored = sum(all(o is None or o.rejection is None for o in of_cutout) for of_cutout in found)
        own = {i - part.start: i for i in part}
        rejections = {n: self._rejections[i] for n, i in own.items() if i in self._rejections}
        learnt = {n: self._learnt[i] for n, i in own.items() if i in self._learnt and n not in rejections}
        return ShardResult(scored, len(part) - scored, learnt, rejections)

    def _open(self, cutout: str, outcomes: Mapping[tuple[str, str], Outcome]) -> bool:
        """Whether it lacks an outcome of a version that was to be run."""
        found = [outcomes.get((cutout, version)) for version in self._job.versions]
        not_run = {version for outcome in found if outcome for version in outcome.not_run}
        return any(
            outcome is None and version not in not_run
            for version, outcome in zip(self._job.versions, found, strict=True)
        )

    def _note(self, read: ReadItem, scores: Mapping[str, float], precision: str) -> None:
        """What can't be decoded is rejected by the id of its content: it says nothing of another's id."""
        item = self._items[read.index]
        is_reference = item.reference is not None
        is_named = read.cutout != read.content or is_reference
        if read.fetch_rejection is not None:
            self._rejections[read.index] = read.fetch_rejection
            return
        if read.decode_rejection is not None and is_named:
            self._rejections[read.index] = read.decode_rejection
        elif is_reference:
            self._learnt[read.index] = (str(read.cutout), str(read.sha256))
        self._cutouts[read.index] = str(read.cutout)
        is_owner = self._job.kind == "rescore" and read.sha256 == item.sha256  # as planned from the record
        is_claimed = is_named and read.decode_rejection is None and not is_owner
        self._group.append(self._entry(read, scores, precision, is_claimed=is_claimed))

    def _entry(
        self, read: ReadItem, scores: Mapping[str, float], precision: str, *, is_claimed: bool
    ) -> Entry:
        name = self._instrument
        if read.decode_rejection is None:
            floor = self._job.cascade
            not_run = {} if floor is None else {v: floor for v in self._job.versions if v not in scores}
            gate = set(gates(scores)) if not_run else set()
            outcomes = [
                _outcome(read, version, score, name, not_run=not_run if version in gate else {})
                for version, score in scores.items()
            ]
        else:
            content, why = str(read.content), read.decode_rejection
            outcomes = [Outcome(content, v, rejection=why, instrument=name) for v in self._job.versions]
        reference = self._items[read.index].reference
        cutout = CutoutRecord(str(read.cutout), read.sha256, reference)
        return Entry(read.index, cutout, is_claimed, precision, tuple(outcomes))

    def _write(self, group: Sequence[Entry]) -> Written:
        with timed("write"):
            written = self._put(group)
        count_outcomes(written.outcomes)
        return written

    def _put(self, group: Sequence[Entry]) -> Written:
        """Put a group on record, less the items whose id other bytes own."""
        claimed = [entry.cutout for entry in group if entry.is_claimed]
        owners = self._record.cutouts.own(claimed) if claimed else {}
        refused = {
            entry.index: conflict(str(entry.cutout.sha256), owners[entry.cutout.id])
            for entry in group
            if entry.is_claimed and owners.get(entry.cutout.id, entry.cutout.sha256) != entry.cutout.sha256
        }
        taken = [entry for entry in group if entry.index not in refused]
        outcomes = {(o.cutout, o.version): o for entry in taken for o in entry.outcomes}
        sources = {
            (o.cutout, o.version): {**self._provenance[e.index], "precision": e.precision}
            for e in taken
            for o in e.outcomes
        }
        new = self._record.outcomes.insert(list(outcomes.values()), provenance=list(sources.values()))
        if new < len(outcomes):  # some are on record as another process wrote them
            self._record.outcomes.note_not_run(outcomes.values())
            return Written(refused, {})
        set_production(self._record, self._job.versions, _scores(outcomes))
        return Written(refused, outcomes)

    def _taken(self) -> list[Entry]:
        group, self._group = self._group, []
        self._last_write = time.monotonic()
        return group

    def _await_write(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            self._keep(writing.result())

    def _keep(self, written: Written) -> None:
        self._rejections |= written.refused
        self._outcomes |= written.outcomes


def conflict(given: str, recorded: str) -> Rejection:
    """The rejection of an item whose streak id is owned by other bytes."""
    detail = f"bytes with sha256 {given[:12]}… under a streak id that is on record with {recorded[:12]}…"
    return Rejection("read", "conflict", f"{detail}; expected the same bytes")


def _parts(leases: Sequence[Lease]) -> list[range]:
    """The indices of each shard's items among those of all."""
    ends = list(accumulate(len(lease.items) for lease in leases))
    return [range(end - len(lease.items), end) for lease, end in zip(leases, ends, strict=True)]


def _known_cutouts(items: Sequence[Item]) -> dict[int, str]:
    known = enumerate(items)
    return {i: item.cutout for i, item in known if item.cutout is not None and item.rejection is None}


def _scores(outcomes: Mapping[tuple[str, str], Outcome]) -> dict[str, dict[str, float]]:
    """By cutout and version, of cutouts that every version among their outcomes has scored."""
    scores: dict[str, dict[str, float]] = {}
    for (cutout, version), outcome in outcomes.items():
        if outcome.score is not None:
            scores.setdefault(cutout, {})[version] = outcome.score
    for (cutout, _), outcome in outcomes.items():
        if outcome.score is None:
            scores.pop(cutout, None)
    return scores


def _outcome(
    read: ReadItem, version: str, score: float, instrument: str, *, not_run: Mapping[str, float]
) -> Outcome:
    cutout, unlike = str(read.cutout), read.departures
    if math.isfinite(score):
        return Outcome(cutout, version, score, instrument=instrument, uncalibrated=unlike, not_run=not_run)
    detail = f"the network gave {score}; expected a number from 0 to 1"
    rejection = Rejection("score", "not_finite", detail)
    return Outcome(cutout, version, rejection=rejection, instrument=instrument)
