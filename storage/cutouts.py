"""Cutouts: where their bytes are, what is known of them, and their production scores."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from cutouts.names import night_of
from storage.database import Document, Mongo

_DUPLICATE_KEY = 11000


@dataclass(frozen=True)
class CutoutRecord:
    """A cutout as it is registered: its id, the sha256 of its bytes if known, a reference if kept by one."""

    id: str
    sha256: str | None
    reference: str | None = None


class CutoutRepository:
    """The collection `cutouts`."""

    def __init__(self, database: Mongo) -> None:
        self._cutouts = database["cutouts"]

    def register(self, records: Sequence[CutoutRecord]) -> dict[str, str]:
        """Record cutouts that are new, and learn the sha256 of those that were known by reference only.

        Returns, by id, the sha256 that is on record where it is not the one given: a conflict, which
        changes nothing.
        """
        now = datetime.now(UTC)
        first: dict[str, CutoutRecord] = {}
        for record in records:
            first.setdefault(record.id, record)
        documents = [_document(record, now) for record in first.values()]
        known = self._insert_new(documents)
        self._learn(record for record in first.values() if record.id in known and record.sha256)
        return self._conflicts(records)

    def get(self, cutout: str) -> Document | None:
        """The document of one cutout."""
        return self._cutouts.find_one({"_id": cutout})

    def set_production(self, fields: Mapping[str, Mapping[str, object]]) -> None:
        """Set the production fields (rb, sl, plausible, versions) of cutouts, by id."""
        if fields:
            self._cutouts.bulk_write(
                [UpdateOne({"_id": cutout}, {"$set": dict(values)}) for cutout, values in fields.items()],
                ordered=False,
            )

    def _insert_new(self, documents: list[Document]) -> set[str]:
        """Insert; returns the ids that were there before."""
        if not documents:
            return set()
        try:
            self._cutouts.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            faults = error.details["writeErrors"]
            if any(fault["code"] != _DUPLICATE_KEY for fault in faults):
                raise
            return {documents[fault["index"]]["_id"] for fault in faults}
        return set()

    def _learn(self, records: Iterable[CutoutRecord]) -> None:
        updates = [UpdateOne({"_id": r.id, "sha256": None}, {"$set": {"sha256": r.sha256}}) for r in records]
        if updates:
            self._cutouts.bulk_write(updates, ordered=False)

    def _conflicts(self, records: Sequence[CutoutRecord]) -> dict[str, str]:
        ids = list({record.id for record in records})
        on_record = {
            d["_id"]: d["sha256"] for d in self._cutouts.find({"_id": {"$in": ids}}, {"sha256": True})
        }
        return {
            r.id: on_record[r.id] for r in records if r.sha256 and on_record.get(r.id) not in (r.sha256, None)
        }


def _document(record: CutoutRecord, now: datetime) -> Document:
    document: Document = {"_id": record.id, "sha256": record.sha256, "added": now}
    if record.reference:
        document["reference"] = record.reference
    night = night_of(record.id)
    if night:
        document |= {"night": night, "streakid": record.id.split("_")[0].removeprefix("strkid")}
    return document
