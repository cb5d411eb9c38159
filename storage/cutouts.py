"""Cutouts: where their bytes are, what is known of them, and their production scores."""

from collections.abc import Mapping, Sequence
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

    def announce(self, records: Sequence[CutoutRecord]) -> None:
        """Record cutouts that are new. A streak id is not tied to any bytes yet."""
        self._insert_new(records)

    def own(self, records: Sequence[CutoutRecord]) -> dict[str, str]:
        """Tie ids to contents that can be read, for ever: the first one that comes owns the id.

        Returns, by id, the sha256 that owns it where it is not the one given: a conflict, which changes
        nothing.
        """
        owners = self._owners(records)
        unowned = [record for record in records if owners.get(record.id) is None]
        if unowned:
            self._insert_new([record for record in unowned if record.id not in owners])
            self._cutouts.bulk_write(
                [UpdateOne({"_id": r.id, "sha256": None}, {"$set": {"sha256": r.sha256}}) for r in unowned],
                ordered=True,
            )
            owners = self._owners(records)
        return {r.id: owner for r in records if (owner := owners.get(r.id)) not in (r.sha256, None)}

    def conflicts(self, records: Sequence[CutoutRecord]) -> dict[str, str]:
        """By id, the sha256 that owns it where it is not the one given; ids that nothing owns are free."""
        owners = self._owners(records)
        return {r.id: owner for r in records if (owner := owners.get(r.id)) not in (r.sha256, None)}

    def get(self, cutout: str) -> Document | None:
        """The document of one cutout."""
        return self._cutouts.find_one({"_id": cutout})

    def set_production(self, fields: Mapping[str, Mapping[str, object]], *, where_none: bool = False) -> None:
        """Set the production fields (rb, sl, plausible, versions) of cutouts, by id.

        With `where_none` only those of cutouts that have none yet.
        """
        only: Document = {"versions": {"$exists": False}} if where_none else {}
        if fields:
            self._cutouts.bulk_write(
                [
                    UpdateOne({"_id": cutout} | only, {"$set": dict(values)})
                    for cutout, values in fields.items()
                ],
                ordered=False,
            )

    def _insert_new(self, records: Sequence[CutoutRecord]) -> None:
        now = datetime.now(UTC)
        documents = {record.id: _document(record, now) for record in reversed(records)}
        if not documents:
            return
        try:
            self._cutouts.insert_many(list(documents.values()), ordered=False)
        except BulkWriteError as error:
            if any(fault["code"] != _DUPLICATE_KEY for fault in error.details["writeErrors"]):
                raise

    def _owners(self, records: Sequence[CutoutRecord]) -> dict[str, str | None]:
        """The sha256 on record by id, None where nothing owns the id yet."""
        ids = list({record.id for record in records})
        return {d["_id"]: d["sha256"] for d in self._cutouts.find({"_id": {"$in": ids}}, {"sha256": True})}


def _document(record: CutoutRecord, now: datetime) -> Document:
    owner = record.sha256 if record.sha256 == record.id else None  # a streak id is owned once it was read
    document: Document = {"_id": record.id, "sha256": owner, "added": now}
    if record.reference:
        document["reference"] = record.reference
    night = night_of(record.id)
    if night:
        document |= {"night": night, "streakid": record.id.split("_")[0].removeprefix("strkid")}
    return document
