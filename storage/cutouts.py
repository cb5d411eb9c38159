"""Cutouts: where their bytes are, what is known of them, and their production scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pymongo import UpdateMany, UpdateOne
from pymongo.errors import AutoReconnect, BulkWriteError

from core.decision import classifier_of
from cutouts.names import night_of
from storage.database import Document, Mongo

_DUPLICATE_KEY = 11000


@dataclass(frozen=True)
class CutoutRecord:
    """A cutout as it is registered: its id, the sha256 of its bytes if known, a reference if kept by one."""

    id: str
    sha256: str | None
    reference: str | None = None


@dataclass(frozen=True)
class KnownCutout:
    """The sha256 that owns a cutout's id, None for none yet; a reference if kept by one; its night."""

    sha256: str | None
    reference: str | None
    night: str | None


@dataclass(frozen=True)
class Decision:
    """What the rule makes of a cutout, by the document that it was read from."""

    cutout: Document
    plausible: bool | None


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

    def unknown_nights(self, nights: Sequence[str]) -> list[str]:
        """Those of these nights that no cutout on record is of."""
        return [night for night in nights if self._cutouts.find_one({"night": night}, {"_id": True}) is None]

    def known(self, ids: Sequence[str]) -> dict[str, KnownCutout]:
        """By id, what is on record of cutouts; ids that nobody announced are not there."""
        found = self._cutouts.find({"_id": {"$in": list(ids)}}, {"sha256": 1, "reference": 1, "night": 1})
        return {d["_id"]: KnownCutout(d["sha256"], d.get("reference"), d.get("night")) for d in found}

    def set_production(self, fields: Mapping[str, Mapping[str, object]], *, where_none: bool = False) -> None:
        """Set the production fields (rb, sl, plausible, versions, scores, decided_by) of cutouts, by id.

        Families of the versions in `not_run`, which were not asked, have none, and lose what they had.
        With `where_none` only those of cutouts that have none yet. A connection that closes is made good
        once, here: for a statement that the driver may repeat by itself, the server notes each update once
        more, at twice the cost.
        """
        if not fields:
            return
        only: Document = {"versions": {"$exists": False}} if where_none else {}
        changes = [UpdateMany({"_id": cutout} | only, _change(values)) for cutout, values in fields.items()]
        try:
            self._cutouts.bulk_write(changes, ordered=False)
        except AutoReconnect:
            self._cutouts.bulk_write(changes, ordered=False)

    def replace_production(
        self, read: Mapping[str, Document], fields: Mapping[str, Mapping[str, object]]
    ) -> int:
        """Set the production fields of cutouts, by id, that still have those that were read of them."""
        changes = [
            UpdateOne({"_id": cutout} | _as_read(read[cutout]), _change(values))
            for cutout, values in fields.items()
        ]
        return self._cutouts.bulk_write(changes, ordered=False).matched_count if changes else 0

    def undecided(self, setting: int, *, limit: int) -> list[Document]:
        """Cutouts with production fields whose `plausible` was decided by another setting of thresholds."""
        query = {"versions": {"$exists": True}, "decided_by": {"$ne": setting}}
        return list(self._cutouts.find(query).limit(limit))

    def decide(self, decisions: Sequence[Decision], *, setting: int) -> int:
        """Note decisions by this setting of the thresholds; returns how many were noted.

        One on a cutout that has the scores of other versions by now is not.
        """
        now = datetime.now(UTC)
        changes = []
        for decision in decisions:
            cutout = decision.cutout
            change: Document = {"decided_by": setting}
            if cutout.get("plausible") != decision.plausible:
                change |= {"plausible": decision.plausible, "last_modified": now}
            changes.append(UpdateOne({"_id": cutout["_id"]} | _as_read(cutout), {"$set": change}))
        return self._cutouts.bulk_write(changes, ordered=False).matched_count if changes else 0

    def _insert_new(self, records: Sequence[CutoutRecord]) -> None:
        now = datetime.now(UTC)
        documents = {record.id: _document(record, now) for record in reversed(records)}
        if not documents:
            return
        try:
            self._cutouts.insert_many(list(documents.values()), ordered=False)
        except BulkWriteError as error:
            faults = error.details["writeErrors"]
            if any(fault["code"] != _DUPLICATE_KEY for fault in faults):
                raise
            self._announce_known([documents[fault["op"]["_id"]] for fault in faults])

    def _announce_known(self, documents: Sequence[Document]) -> None:
        """Note when those came that were known by their metadata alone, and where their bytes are."""
        self._cutouts.bulk_write(
            [
                UpdateOne(
                    {"_id": document["_id"], "added": {"$exists": False}},
                    {"$set": {key: document[key] for key in ("added", "reference") if key in document}},
                )
                for document in documents
            ],
            ordered=False,
        )

    def _owners(self, records: Sequence[CutoutRecord]) -> dict[str, str | None]:
        """The sha256 on record by id, None where nothing owns the id yet."""
        ids = list({record.id for record in records})
        return {d["_id"]: d["sha256"] for d in self._cutouts.find({"_id": {"$in": ids}}, {"sha256": True})}


def _change(values: Mapping[str, object]) -> Document:
    not_run = values.get("not_run")
    if not isinstance(not_run, list):
        return {"$set": dict(values), "$unset": {"not_run": ""}}
    gone = {classifier_of(version) for version in not_run}.difference(values)
    return {"$set": dict(values)} | ({"$unset": dict.fromkeys(gone, "")} if gone else {})


def _as_read(cutout: Document) -> Document:
    """A query for a document whose scores are those that were read of it; a score never changes."""
    return {key: cutout.get(key) for key in ("versions", "scores")}


def _document(record: CutoutRecord, now: datetime) -> Document:
    is_content = record.sha256 is not None and record.id.rpartition(":")[2] == record.sha256
    owner = record.sha256 if is_content else None  # a streak id is owned once it was read
    document: Document = {"_id": record.id, "sha256": owner, "added": now}
    if ":" in record.id:
        document["instrument"] = record.id.partition(":")[0]
    if record.reference:
        document["reference"] = record.reference
    night = night_of(record.id)
    if night:
        document |= {"night": night, "streakid": record.id.split("_")[0].removeprefix("strkid")}
    return document
