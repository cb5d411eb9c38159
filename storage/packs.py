"""Packs on record: which cutouts lie in which blob, prepared how, and what was found to be wrong with it."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from pymongo.errors import DuplicateKeyError

from cutouts.names import night_of
from storage.database import Document, Mongo


@dataclass(frozen=True)
class PackRecord:
    """A pack as it is on record.

    Parameters
    ----------
    sha256 : of its bytes, by which it is in the blob store.
    preparation : as `cutouts.packs.preparation` gives it.
    max_bytes, max_pixels : the limits that its cutouts' files were read under.
    pixels_at : where its pixels begin.
    faults : images that could not be read from it.
    """

    sha256: str
    preparation: str
    max_bytes: int
    max_pixels: int
    pixels_at: int
    count: int
    faults: int = 0
    last_fault: str | None = None


class PackRepository:
    """The collection `packs`. A pack never changes; one that is damaged is forgotten and made anew."""

    def __init__(self, database: Mongo) -> None:
        self._packs = database["packs"]

    def insert(self, pack: PackRecord, cutouts: Sequence[str]) -> bool:
        """Record a pack whose bytes are in the blob store, its cutouts in the order of its rows.

        They are in the order of their ids and of one night. False when it was on record.
        """
        document = {
            "_id": pack.sha256,
            "preparation": pack.preparation,
            "night": night_of(cutouts[0]),
            "first": cutouts[0],
            "last": cutouts[-1],
            "count": pack.count,
            "pixels_at": pack.pixels_at,
            "max_bytes": pack.max_bytes,
            "max_pixels": pack.max_pixels,
            "cutouts": list(cutouts),
            "at": datetime.now(UTC),
        }
        try:
            self._packs.insert_one(document)
        except DuplicateKeyError:
            return False
        return True

    def near(self, preparation: str, cutouts: Sequence[str], *, at_most: int) -> list[PackRecord]:
        """The first packs of the nights and the range of these ids, which may hold them."""
        found = self._near(preparation, cutouts, {"cutouts": False})
        return [_record(document) for document in islice(found, at_most)]

    def holding(self, preparation: str, cutouts: Sequence[str]) -> dict[str, PackRecord]:
        """By id, the pack that holds a cutout, of those that are packed."""
        held: dict[str, PackRecord] = {}
        wanted = set(cutouts)
        for document in self._near(preparation, cutouts):
            pack = _record(document)
            held |= dict.fromkeys(wanted.intersection(document["cutouts"]), pack)
        return held

    def cutouts(self, sha256: str) -> list[str]:
        """The ids of a pack's cutouts, in the order of its rows; none for a pack that is not on record."""
        found = self._packs.find_one({"_id": sha256}, {"cutouts": True})
        return [] if found is None else [str(cutout) for cutout in found["cutouts"]]

    def prepared_otherwise(self, preparations: Collection[str]) -> Iterator[PackRecord]:
        """Packs of other preparations than these."""
        query = {"preparation": {"$nin": list(preparations)}}
        return map(_record, self._packs.find(query, {"cutouts": False}))

    def note_fault(self, sha256: str, detail: str, *, images: int) -> None:
        """Note that images could not be read from a pack, and why."""
        self._packs.update_one({"_id": sha256}, {"$inc": {"faults": images}, "$set": {"last_fault": detail}})

    def clear_faults(self, sha256: str) -> None:
        """Note that a pack is whole after all."""
        self._packs.update_one({"_id": sha256}, {"$unset": {"faults": "", "last_fault": ""}})

    def forget(self, sha256: str) -> None:
        """Take a pack off the record; its cutouts are read from their files until they are packed again."""
        self._packs.delete_one({"_id": sha256})

    def _near(
        self, preparation: str, cutouts: Sequence[str], fields: Document | None = None
    ) -> Iterable[Document]:
        if not cutouts:
            return ()
        query = {
            "preparation": preparation,
            "night": {"$in": list({night_of(cutout) for cutout in cutouts})},
            "first": {"$lte": max(cutouts)},
            "last": {"$gte": min(cutouts)},
        }
        return self._packs.find(query, fields).sort("first", 1)


def _record(document: Document) -> PackRecord:
    return PackRecord(
        sha256=document["_id"],
        preparation=document["preparation"],
        max_bytes=document["max_bytes"],
        max_pixels=document["max_pixels"],
        pixels_at=document["pixels_at"],
        count=document["count"],
        faults=document.get("faults", 0),
        last_fault=document.get("last_fault"),
    )
