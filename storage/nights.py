"""Nights: what came of each, joined to its cutouts, and what could not be joined."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pymongo import UpdateOne
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError

from cutouts.names import night_of
from cutouts.nights import METADATA, Fault, Row
from storage.database import Document, Mongo

_DUPLICATE_KEY = 11000
_AT_ONCE = 1000
_MOST_TOLD = 3  # fields that differ
_LINE = re.compile(r":[0-9]+$")
_POSITION = ("ra", "dec")  # of the middle: another record may have computed it in another way


@dataclass(frozen=True)
class NightCutout:
    """A cutout's file of a night: its streak id, the name that it came under, the sha256 of its bytes."""

    id: str
    name: str
    sha256: str


@dataclass(frozen=True)
class AdesDocument:
    """An ADES document: the name of its file, the streak id in it, what is inside its root."""

    name: str
    id: str
    content: Mapping[str, Any]


@dataclass(frozen=True)
class Joined:
    """How many were joined, how many were on record already, and what contradicts the record."""

    joined: int = 0
    unchanged: int = 0
    conflicts: tuple[Fault, ...] = ()

    def __add__(self, other: "Joined") -> "Joined":
        return Joined(
            self.joined + other.joined,
            self.unchanged + other.unchanged,
            self.conflicts + other.conflicts,
        )


@dataclass(frozen=True)
class _Found:
    """Fields of a cutout, and the file and line that they are from."""

    name: str
    line: int | None
    id: str
    fields: Document


class NightRepository:
    """The collections `nights`, `night_files` and `night_faults`, and the metadata in `cutouts`.

    Everything here is written once: what comes again changes nothing, what differs is a conflict that is told
    and changes nothing either. A cutout known by its metadata alone has no `added`, and None as `sha256`.
    """

    def __init__(self, database: Mongo) -> None:
        self._nights = database["nights"]
        self._files = database["night_files"]
        self._faults = database["night_faults"]
        self._cutouts = database["cutouts"]

    def begin(self, night: str) -> None:
        """Note that something of a night came."""
        change = {"$setOnInsert": {"first": datetime.now(UTC)}}
        self._nights.update_one({"_id": night}, change, upsert=True)

    def join_metadata(self, rows: Sequence[Row]) -> Joined:
        """Join rows of a table to their cutouts, those that came and those that may yet come.

        Rows without a line are those of another record, such as a predecessor's, and may hold less than a
        table: they are held against one by what both have, and give way to it where they agree.
        """
        return self._join([_found(row) for row in rows], METADATA, mark="metadata_from")

    def join_ades(self, documents: Sequence[AdesDocument]) -> Joined:
        """Join ADES documents to their cutouts, as `join_metadata` does."""
        found = [_Found(d.name, None, d.id, {"ades": dict(d.content)}) for d in documents]
        return self._join(found, ("ades",), mark="ades")

    def note_table(self, night: str, name: str, sha256: str) -> bool:
        """Note that a table came; False when it had come before."""
        document = {"_id": _file_key(night, "table", name, sha256), "came": datetime.now(UTC)}
        return bool(insert_new(self._files, [document])[0])

    def forget_faults(self, night: str, contents: Mapping[str, str]) -> None:
        """Forget the faults of files, by name, that came again with the contents of these sha256."""
        names = list(contents)
        for start in range(0, len(names), _AT_ONCE):
            query = {"_id.night": night, "_id.name": {"$in": names[start : start + _AT_ONCE]}}
            stale = [d["_id"] for d in self._faults.find(query) if d["sha256"] != contents[d["_id"]["name"]]]
            if stale:
                self._faults.delete_many({"_id": {"$in": stale}})

    def note_faults(self, night: str, faults: Sequence[Fault], *, sha256: str = "") -> int:
        """Note what is wrong with a file of these bytes; returns how many faults are new."""
        documents: list[Document] = [
            {
                "_id": {"night": night, "name": fault.name, "line": fault.line},
                "reason": fault.reason,
                "detail": fault.detail,
                "sha256": sha256,
            }
            for fault in faults
        ]
        return len(insert_new(self._faults, documents)[0]) if documents else 0

    def faults(self, night: str, *, limit: int) -> tuple[int, list[Fault]]:
        """How many faults a night's files have, and the first of them."""
        query = {"_id.night": night}
        found = self._faults.find(query).sort([("_id.name", 1), ("_id.line", 1)]).limit(limit)
        named = [Fault(d["_id"]["name"], d["_id"]["line"], d["reason"], d["detail"]) for d in found]
        return self._faults.count_documents(query), named

    def tables(self, night: str) -> list[str]:
        """The names of the tables that came, each once."""
        found = self._files.find({"_id.night": night, "_id.kind": "table"}, {"_id": True})
        return sorted({document["_id"]["name"] for document in found})

    def cutouts(self, night: str) -> Iterator[tuple[NightCutout, str | None]]:
        """The files of cutouts that came, by id, and the job that each was submitted with."""
        found = self._files.find({"_id.night": night, "_id.kind": "cutout"})
        for document in found.sort([("_id.name", 1), ("_id.sha256", 1)]):
            key = document["_id"]
            yield NightCutout(key["name"], document["file"], key["sha256"]), document["job"]

    def jobs(self, night: str) -> list[str]:
        """The jobs that a night's files were submitted with."""
        found = self._files.distinct("job", {"_id.night": night, "_id.kind": "cutout"})
        return [str(job) for job in found if job is not None]

    def known(self, *, limit: int, before: str | None = None) -> list[str]:
        """Nights of which anything is on record, by the ledger or by a cutout, the latest first."""
        found = {str(night) for night in self._cutouts.distinct("night") if night is not None}
        found |= {document["_id"] for document in self._nights.find({}, {"_id": True})}
        return sorted((n for n in found if before is None or n < before), reverse=True)[:limit]

    def is_known(self, night: str) -> bool:
        """Whether anything of a night is on record."""
        return (
            self._nights.find_one({"_id": night}) is not None
            or self._cutouts.find_one({"night": night}, {"_id": True}) is not None
        )

    def jobs_of(self, night: str, cutouts: Sequence[NightCutout]) -> dict[tuple[str, str], str | None]:
        """By (id, sha256), the job that each of these files was submitted with; new ones are not there."""
        keys = [_file_key(night, "cutout", cutout.id, cutout.sha256) for cutout in cutouts]
        found = self._files.find({"_id": {"$in": keys}}, {"job": True})
        return {(d["_id"]["name"], d["_id"]["sha256"]): d["job"] for d in found}

    def note_cutouts(self, night: str, cutouts: Sequence[NightCutout], *, job: str | None) -> None:
        """Note files of cutouts, and the job that they were submitted with; None for none."""
        now = datetime.now(UTC)
        changes = [
            UpdateOne(
                {"_id": _file_key(night, "cutout", cutout.id, cutout.sha256)},
                {"$set": {"job": job}, "$setOnInsert": {"file": cutout.name, "came": now}},
                upsert=True,
            )
            for cutout in cutouts
        ]
        if changes:  # the driver sends them in several messages where they are many
            self._files.bulk_write(changes, ordered=False)

    def _join(self, found: Sequence[_Found], keys: Sequence[str], *, mark: str) -> Joined:
        """Join the first of each id, then the next of those that came several times."""
        joined = Joined()
        while found:
            first: dict[str, _Found] = {}
            later = [entry for entry in found if first.setdefault(entry.id, entry) is not entry]
            joined += self._join_once(first, keys, mark)
            found = later
        return joined

    def _join_once(self, found: Mapping[str, _Found], keys: Sequence[str], mark: str) -> Joined:
        wanted = {"_id": {"$in": list(found)}, mark: {"$exists": True}}
        known = {d["_id"]: d for d in self._cutouts.find(wanted, dict.fromkeys((*keys, mark), True))}
        differing = {s: _differing(found[s].fields, document, keys) for s, document in known.items()}
        conflicts = tuple(
            Fault(found[streak].name, found[streak].line, "conflict", f"{streak}: {words}")
            for streak, words in differing.items()
            if words
        )
        whole = [
            UpdateOne({"_id": streak, mark: document[mark]}, {"$set": found[streak].fields})
            for streak, document in known.items()
            if not differing[streak] and _is_partial(document) and not _is_partial(found[streak].fields)
        ]
        fresh = {streak: entry.fields for streak, entry in found.items() if streak not in known}
        skeletons = [skeleton(streak) | fields for streak, fields in fresh.items()]
        inserted, there = insert_new(self._cutouts, skeletons) if skeletons else ([], [])
        changed = 0
        if there:
            changes = [UpdateOne({"_id": s, mark: {"$exists": False}}, {"$set": fresh[s]}) for s in there]
            changed = self._cutouts.bulk_write(changes, ordered=False).modified_count
        if whole:
            changed += self._cutouts.bulk_write(whole, ordered=False).modified_count
        joined = len(inserted) + changed
        return Joined(joined, len(found) - joined - len(conflicts), conflicts)


def insert_new(
    collection: Collection[Document], documents: Sequence[Document]
) -> tuple[list[Any], list[Any]]:
    """Insert those that are not there; returns the ids of these, and of those that are there."""
    ids = [document["_id"] for document in documents]
    try:
        collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        faults = error.details["writeErrors"]
        if any(fault["code"] != _DUPLICATE_KEY for fault in faults):
            raise
        there = {fault["index"] for fault in faults}
        return (
            [name for i, name in enumerate(ids) if i not in there],
            [name for i, name in enumerate(ids) if i in there],
        )
    return ids, []


def skeleton(streak: str) -> Document:
    """A cutout that nobody has submitted yet."""
    streakid, _, pid = streak.partition("_")
    return {
        "_id": streak,
        "sha256": None,
        "night": night_of(streak),
        "streakid": streakid.removeprefix("strkid"),
        "pid": pid.removeprefix("pid"),
    }


def metadata_fields(row: Row) -> Document:
    """What a row gives its cutout's document, and where it is from."""
    return {**row.values, "metadata_from": row.name if row.line is None else f"{row.name}:{row.line}"}


def _found(row: Row) -> _Found:
    return _Found(
        f"{row.id} metadata" if row.line is None else row.name, row.line, row.id, metadata_fields(row)
    )


def _is_partial(fields: Document) -> bool:
    """Whether metadata are of another record, not of a line of a table."""
    source = fields.get("metadata_from")
    return isinstance(source, str) and not _LINE.search(source)


def _differing(fields: Document, document: Document, keys: Sequence[str]) -> str:
    """Where what came differs from the record, in words; nothing where it does not."""
    if _is_partial(fields) or _is_partial(document):
        keys = [key for key in keys if key in fields and key in document and key not in _POSITION]
    names = [key for key in keys if fields.get(key) != document.get(key) and key != "midpoint_coordinates"]
    told = [
        f"{key} is {fields.get(key)!r:.60}, on record {document.get(key)!r:.60}" for key in names[:_MOST_TOLD]
    ]
    more = f", and {len(names) - _MOST_TOLD} more" if len(names) > _MOST_TOLD else ""
    return "; ".join(told) + more


def _file_key(night: str, kind: str, name: str, sha256: str) -> Document:
    return {"night": night, "kind": kind, "name": name, "sha256": sha256}
