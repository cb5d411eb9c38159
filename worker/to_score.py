"""What there is to score of a shard, by what is on record of its items."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from core.cascade import gates, is_below
from core.job import Item, Job, Lease, Rejection
from core.outcome import Outcome
from storage.cutouts import CutoutRecord
from storage.record import Record
from worker.ledger import conflict

DEATHS_OF_POISON = 2


@dataclass(frozen=True)
class ToScore:
    """Items by their index among those of all shards.

    Parameters
    ----------
    items : that are to be read.
    done : cutouts that are not to be scored again.
    rejections : of items that are not to be read.
    """

    items: list[tuple[int, Item]]
    done: set[str]
    rejections: dict[int, Rejection]


def to_score(record: Record, job: Job, leases: Sequence[Lease]) -> ToScore:
    """Look up what is on record; several shards only where each was claimed for the first time."""
    every = (item for lease in leases for item in lease.items)
    items: dict[int, Item] = {i: item for i, item in enumerate(every) if item.rejection is None}
    known = record.outcomes.existing(_cutouts(items.values()), job.versions)
    done = {cutout for cutout, _ in known if all((cutout, v) in known for v in job.versions)}
    done |= _below_on_record(record, job, known)
    unread = {i for i, item in items.items() if _is_unread(item) or item.cutout not in done}
    rejections = {i: why for i, why in _poison(leases[0]).items() if i in unread}
    rejections |= _contradicting(record, items, done)
    wanted = [(i, item) for i, item in items.items() if i in unread and i not in rejections]
    return ToScore(wanted, done, rejections)


def _below_on_record(record: Record, job: Job, known: Collection[tuple[str, str]]) -> set[str]:
    """Cutouts that a cascade asks nothing more of, by the scores of its gates that are on record."""
    if job.cascade is None:
        return set()
    open_ = {c for c, _ in known if any((c, v) not in known for v in job.versions)}
    found: dict[str, dict[str, Outcome]] = {}
    for (cutout, version), outcome in record.outcomes.find(open_, gates(job.versions)).items():
        found.setdefault(cutout, {})[version] = outcome
    below: dict[str, list[Outcome]] = {}
    for cutout, outcomes in found.items():
        scores = {v: o.score for v, o in outcomes.items() if o.score is not None}
        if is_below(scores, job.versions, job.cascade):
            not_run = {v: job.cascade for v in job.versions if (cutout, v) not in known}
            below[cutout] = [replace(o, not_run=not_run) for o in outcomes.values()]
    record.outcomes.note_not_run(one for outcomes in below.values() for one in outcomes)
    return set(below)


def _contradicting(record: Record, items: Mapping[int, Item], done: Collection[str]) -> dict[int, Rejection]:
    """Uploads of scored cutouts, which are not read again, whose bytes are not those that were scored."""
    uploads = {
        i: CutoutRecord(item.cutout, item.sha256)
        for i, item in items.items()
        if item.cutout in done and item.cutout != item.sha256 and item.reference is None and item.cutout
    }
    owners = record.cutouts.conflicts(list(uploads.values())) if uploads else {}
    return {
        i: conflict(str(upload.sha256), owners[upload.id])
        for i, upload in uploads.items()
        if owners.get(upload.id, upload.sha256) != upload.sha256
    }


def _is_unread(item: Item) -> bool:
    """Whether it is a reference of which nobody knows yet what it refers to."""
    return item.reference is not None and item.sha256 is None


def _cutouts(items: Iterable[Item]) -> set[str]:
    return {item.cutout for item in items if item.cutout is not None}


def _poison(lease: Lease) -> dict[int, Rejection]:
    """The items that workers died of; the rest of the shard is to be scored without them."""
    detail = "the scoring process died or failed on it, alone, {} times; expected a score"
    return {
        index: Rejection("score", "poison", detail.format(deaths))
        for index, deaths in lease.suspects.items()
        if deaths >= DEATHS_OF_POISON
    }
