"""The ledger of a night: what came, what was joined, scored and rejected, and what is missing, by name."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal, get_args

from core.errors import NotFound
from core.job import JobState, Rejection
from cutouts.nights import Fault
from storage.database import Document
from storage.nights import NightCutout
from storage.record import Record

NAMED = 1000
"""How many of each are named in a ledger; all are counted."""

Part = Literal["cutout", "metadata", "ades"]
FileState = Literal["joined", "waiting", "rejected", "replaced", "conflict", "dropped"]
_FIELDS: Mapping[Part, str] = {"cutout": "added", "metadata": "metadata_from", "ades": "ades"}
_AT_ONCE = 1000
_DROPPED = (JobState.CANCELLED, JobState.FAILED)


@dataclass(frozen=True)
class NightSummary:
    """A night in numbers.

    Parameters
    ----------
    ids : streaks that anything is known of.
    metadata, ades, cutouts : how many of them have a row, an ADES document, a file that was submitted.
    scored : have production scores.
    candidates : of those, plausible.
    faults : lines and files that could not be joined.
    """

    night: str
    ids: int
    metadata: int
    ades: int
    cutouts: int
    scored: int
    candidates: int
    faults: int


@dataclass(frozen=True)
class ByVersion:
    """Outcomes of one model version."""

    scored: int
    rejected: int


@dataclass(frozen=True)
class RejectedFile:
    """A file that gave no score, and why; for a conflict, of its id with other bytes."""

    id: str
    file: str
    sha256: str
    stage: str
    reason: str
    detail: str


@dataclass(frozen=True)
class Named:
    """How many files there are, and the first of them."""

    count: int
    named: list[RejectedFile]


@dataclass(frozen=True)
class NamedFaults:
    """How many faults there are, and the first of them."""

    count: int
    named: list[Fault]


@dataclass(frozen=True)
class NightLedger:
    """A night: its numbers, and by name what is not as it should be.

    Parameters
    ----------
    tables : the names of its metadata tables.
    files : how many files of cutouts are joined (their bytes own their id), waiting for a worker, rejected,
        replaced by other bytes after a rejection, in conflict, or dropped with a job that ended early.
    scores : by exact version.
    missing : how many ids lack a cutout, a row, an ADES document.
    """

    summary: NightSummary
    tables: list[str]
    files: dict[FileState, int]
    scores: dict[str, ByVersion]
    rejections: Named
    conflicts: Named
    faults: NamedFaults
    missing: dict[Part, int]


@dataclass(frozen=True)
class MissingId:
    """A streak of a night, and what of it did not come."""

    id: str
    lacks: list[Part]


@dataclass
class _Files:
    states: Counter[FileState] = field(default_factory=Counter)
    rejected: list[RejectedFile] = field(default_factory=list)
    in_conflict: list[RejectedFile] = field(default_factory=list)


def list_nights(record: Record, *, limit: int, before: str | None = None) -> list[NightSummary]:
    """The nights on record, the latest first."""
    return [_summary(record, night) for night in record.nights.known(limit=limit, before=before)]


def read_ledger(record: Record, night: str) -> NightLedger:
    """The ledger of a night, counted from the record; raises NotFound for one that nothing is known of."""
    if not record.nights.is_known(night):
        raise NotFound(f"nothing is on record of the night {night!r}")
    summary = _summary(record, night)
    files = _files(record, night)
    scores, by_outcome = _outcomes(record, night)
    faults, named = record.nights.faults(night, limit=NAMED)
    rejected = files.rejected + by_outcome
    return NightLedger(
        summary=summary,
        tables=record.nights.tables(night),
        files={state: files.states[state] for state in get_args(FileState)},
        scores=scores,
        rejections=Named(len(rejected), rejected[:NAMED]),
        conflicts=Named(len(files.in_conflict), files.in_conflict[:NAMED]),
        faults=NamedFaults(faults, named),
        missing={
            "cutout": summary.ids - summary.cutouts,
            "metadata": summary.ids - summary.metadata,
            "ades": summary.ids - summary.ades,
        },
    )


def read_missing(
    record: Record, night: str, *, lacking: Sequence[Part], after: str | None, limit: int
) -> list[MissingId]:
    """Ids of a night that lack one of these parts, in their order, those above the id `after`."""
    if not lacking:
        return []
    query: Document = {"night": night, "$or": [{_FIELDS[part]: {"$exists": False}} for part in lacking]}
    if after is not None:
        query["_id"] = {"$gt": after}
    kept: Document = {key: {"$type": f"${key}"} for key in _FIELDS.values()}
    found = record.database["cutouts"].find(query, kept).sort("_id", 1).limit(limit)
    return [
        MissingId(
            d["_id"], [part for part, key in _FIELDS.items() if part in lacking and d[key] == "missing"]
        )
        for d in found
    ]


def _summary(record: Record, night: str) -> NightSummary:
    def have(key: str) -> Document:
        return {"$sum": {"$cond": [{"$ne": [{"$type": f"${key}"}, "missing"]}, 1, 0]}}

    counts: dict[str, Document] = {"ids": {"$sum": 1}, "scored": have("versions")}
    counts |= {"cutouts": have("added"), "metadata": have("metadata_from"), "ades": have("ades")}
    counts |= {"candidates": {"$sum": {"$cond": [{"$eq": ["$plausible", True]}, 1, 0]}}}
    pipeline: list[Document] = [{"$match": {"night": night}}, {"$group": {"_id": None, **counts}}]
    found = next(record.database["cutouts"].aggregate(pipeline), dict.fromkeys(counts, 0))
    numbers = {key: int(found[key]) for key in counts}
    return NightSummary(night=night, faults=record.nights.faults(night, limit=1)[0], **numbers)


def _files(record: Record, night: str) -> _Files:
    """What became of each file."""
    found = _Files()
    jobs = record.nights.jobs(night)
    rejections = _item_rejections(record, jobs)
    states = {job: found_job.state for job in jobs if (found_job := record.jobs.get(job)) is not None}
    rest = record.nights.cutouts(night)
    while batch := list(islice(rest, _AT_ONCE)):
        known = record.cutouts.known([file.id for file, _ in batch])
        for file, job in batch:
            owner = known[file.id].sha256 if file.id in known else None
            rejection = rejections.get((file.id, file.sha256))
            state = _state(file, owner, rejection, states.get(job) if job is not None else None)
            found.states[state] += 1
            if state == "rejected" and rejection is not None:
                found.rejected.append(_rejected(file, rejection))
            elif state == "conflict":
                found.in_conflict.append(_rejected(file, rejection or _conflict(file, owner)))
    return found


def _state(
    file: NightCutout, owner: str | None, rejection: Rejection | None, job: JobState | None
) -> FileState:
    if owner == file.sha256:
        return "joined"
    if rejection is not None and rejection.reason != "conflict":
        return "rejected" if owner is None else "replaced"
    if owner is not None:
        return "conflict"
    return "dropped" if job in _DROPPED else "waiting"


def _item_rejections(record: Record, jobs: Sequence[str]) -> dict[tuple[str, str], Rejection]:
    """By (id, sha256), why items of these jobs were rejected."""
    pipeline: list[Document] = [
        {"$match": {"_id.job": {"$in": list(jobs)}, "items.rejection": {"$exists": True}}},
        {"$unwind": "$items"},
        {"$match": {"items.rejection": {"$exists": True}}},
        {"$project": {"items.cutout": True, "items.sha256": True, "items.rejection": True}},
    ]
    return {
        (d["items"]["cutout"], d["items"]["sha256"]): Rejection(**d["items"]["rejection"])
        for d in record.database["shards"].aggregate(pipeline)
    }


def _outcomes(record: Record, night: str) -> tuple[dict[str, ByVersion], list[RejectedFile]]:
    """Outcomes of a night's cutouts, counted by version; and the rejections among them."""
    scored: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    named: list[RejectedFile] = []
    for batch in _cutouts(record, night):
        low, high = {"cutout": batch[0]["_id"]}, {"cutout": batch[-1]["_id"] + "\0"}
        owners = {document["_id"]: document["sha256"] for document in batch}
        found = record.database["outcomes"].find(
            {"_id": {"$gte": low, "$lt": high}, "_id.cutout": {"$in": list(owners)}}, {"rejection": True}
        )
        for document in found:
            cutout, version = document["_id"]["cutout"], document["_id"]["version"]
            if "rejection" not in document:
                scored[version] += 1
                continue
            rejected[version] += 1
            reason = Rejection(**document["rejection"])
            detail = Rejection(reason.stage, reason.reason, f"{version}: {reason.detail}")
            named.append(_rejected(NightCutout(cutout, cutout, owners[cutout] or ""), detail))
    versions = sorted({*scored, *rejected})
    return {version: ByVersion(scored[version], rejected[version]) for version in versions}, named


def _cutouts(record: Record, night: str) -> Iterator[list[Document]]:
    found = record.database["cutouts"].find({"night": night}, {"sha256": True}).sort("_id", 1)
    while batch := list(islice(found, _AT_ONCE)):
        yield batch


def _rejected(file: NightCutout, rejection: Rejection) -> RejectedFile:
    return RejectedFile(file.id, file.name, file.sha256, rejection.stage, rejection.reason, rejection.detail)


def _conflict(file: NightCutout, owner: str | None) -> Rejection:
    detail = (
        f"bytes with sha256 {file.sha256[:12]}… under a streak id that is on record with {str(owner)[:12]}…"
    )
    return Rejection("ingest", "conflict", f"{detail}; expected the same bytes")
