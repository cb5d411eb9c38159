"""Imports of a predecessor's collection: how far each has come, and what of it could not be read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pymongo import ReturnDocument

from core.errors import Conflict, NotFound
from cutouts.nights import Fault
from storage.database import Document, Mongo
from storage.nights import insert_new

MOST_LEFT_OUT = 200
MOST_VERSIONS = 200
COUNTED = ("documents", "unreadable", "cutouts", "metadata", "ades", "scores", "scores_came", "faults")


@dataclass(frozen=True)
class ImportState:
    """An import on record.

    Parameters
    ----------
    cursor : where its reader goes on, in the reader's own words; None for the beginning.
    done : it has come to the end.
    started, changed : of this pass.
    counts : of this pass: `documents` read, those `unreadable` as a whole, what is new on record (`cutouts`,
        `metadata`, `ades`, `scores` of those that came), and `faults`.
    versions : by field, the version that its scores are kept as; MOST_VERSIONS at most are let in.
    left_out : fields that mean nothing here, the first MOST_LEFT_OUT of them.
    """

    id: str
    cursor: str | None
    done: bool
    started: datetime
    changed: datetime
    counts: dict[str, int]
    versions: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


class ImportRepository:
    """The collections `imports` and `import_faults`."""

    def __init__(self, database: Mongo) -> None:
        self._imports = database["imports"]
        self._faults = database["import_faults"]

    def begin(self, name: str) -> ImportState:
        """Go on with an import that has not come to its end, or begin it, again if it has."""
        now = datetime.now(UTC)
        fresh: Document = {"cursor": None, "done": False, "started": now, "changed": now}
        fresh |= {"counts": dict.fromkeys(COUNTED, 0), "versions": [], "left_out": []}
        self._imports.update_one({"_id": name}, {"$setOnInsert": fresh}, upsert=True)
        if self._imports.update_one({"_id": name, "done": True}, {"$set": fresh}).modified_count:
            self._faults.delete_many({"_id.import": name})
        return self.get(name)

    def get(self, name: str) -> ImportState:
        """Raises NotFound for an import that nobody began."""
        document = self._imports.find_one({"_id": name})
        if document is None:
            raise NotFound(f"there is no import {name!r}")
        return _state(document)

    def move(
        self,
        name: str,
        *,
        after: str | None,
        last: str | None,
        done: bool,
        counts: Mapping[str, int],
        versions: Mapping[str, str],
        left_out: Sequence[str],
    ) -> ImportState:
        """Move the cursor from `after` to `last`, and count what was read between them.

        A move that is on record already changes nothing. Raises Conflict where the cursor is elsewhere: then
        somebody else reads the same collection.
        """
        found = self.get(name)
        if (found.cursor, found.done) == (after, False):
            known = {**found.versions, **versions}
            change: Document = {
                "cursor": last,
                "done": done,
                "changed": datetime.now(UTC),
                "versions": [{"field": key, "version": version} for key, version in sorted(known.items())],
                "left_out": sorted({*found.left_out, *left_out})[:MOST_LEFT_OUT],
            }
            moved = self._imports.find_one_and_update(
                {"_id": name, "cursor": after, "done": False},
                {"$set": change, "$inc": {f"counts.{key}": number for key, number in counts.items()}},
                return_document=ReturnDocument.AFTER,
            )
            if moved is not None:
                return _state(moved)
            found = self.get(name)
        if (found.cursor, found.done) != (last, done):
            raise Conflict(
                f"the import {name} stands at {found.cursor}, not at {after}; somebody else is importing the "
                "same collection: let them, or go on when they have ended"
            )
        return found

    def note_faults(self, name: str, faults: Sequence[Fault]) -> None:
        """Note what could not be read, each once."""
        documents: list[Document] = [
            {"_id": {"import": name, "name": f.name, "reason": f.reason}, "detail": f.detail} for f in faults
        ]
        if documents:
            insert_new(self._faults, documents)

    def faults(self, name: str, *, limit: int) -> list[Fault]:
        """The first faults of an import, by their names."""
        found = self._faults.find({"_id.import": name}).sort([("_id.name", 1), ("_id.reason", 1)])
        return [Fault(d["_id"]["name"], None, d["_id"]["reason"], d["detail"]) for d in found.limit(limit)]


def _state(document: Document) -> ImportState:
    return ImportState(
        id=document["_id"],
        cursor=document["cursor"],
        done=document["done"],
        started=document["started"],
        changed=document["changed"],
        counts=document["counts"],
        versions={pair["field"]: pair["version"] for pair in document["versions"]},
        left_out=document["left_out"],
    )
