"""The data sets of labelling projects: which pictures are in them, and which files could not be taken in."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from core.errors import Conflict, NotFound
from core.project import LabelDataset, LabelItem
from storage.database import Document, Mongo

_BATCH = 5000
_LONGEST_ORIGIN = 500
_DUPLICATE_KEY = 11000
_THERE: Document = {"removed": None}


@dataclass(frozen=True, slots=True)
class Added:
    """How many items are new, how many were there, and the names that other bytes have already."""

    new: int
    known: int
    conflicts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FileFault:
    """A file that could not be taken in, and why; gone once a file of that name was."""

    name: str
    fault: str
    at: datetime


class LabelDatasetRepository:
    """The collections `label_datasets`, `label_items` ({data set, item}) and `label_faults` (the same).

    One that was removed is kept, with the time, and is not found any more.
    """

    def __init__(self, database: Mongo) -> None:
        self._datasets = database["label_datasets"]
        self._items = database["label_items"]
        self._faults = database["label_faults"]

    def add(self, dataset: LabelDataset) -> None:
        """Record a new data set; raises Conflict for an id that is or was taken."""
        try:
            self._datasets.insert_one(_document(dataset))
        except DuplicateKeyError as error:
            raise Conflict(f"there is or was a data set {dataset.id!r} already") from error

    def refuse_taken(self, dataset: LabelDataset) -> None:
        """Raise Conflict for an id that another project's data set has, or one that was removed."""
        found = self._datasets.find_one({"_id": dataset.id}, {"project": True, "removed": True})
        if found is not None and (found["project"] != dataset.project or found["removed"] is not None):
            raise Conflict(f"there is or was a data set {dataset.id!r} already, which is not this one")

    def get(self, project: str, dataset: str) -> LabelDataset:
        """A data set of this project; raises NotFound, also for one of another project."""
        found = self._datasets.find_one({"_id": dataset, "project": project} | _THERE)
        if found is None:
            raise _no_dataset(dataset)
        return _dataset(found)

    def of_projects(self, projects: Sequence[str]) -> list[LabelDataset]:
        """The data sets of some projects, in the order in which they were made."""
        query = {"project": {"$in": list(projects)}} | _THERE
        return [_dataset(found) for found in self._datasets.find(query).sort([("created", 1), ("_id", 1)])]

    def change(self, dataset: LabelDataset, **fields: object) -> LabelDataset:
        """Set name or description; raises NotFound."""
        change = {"$set": fields | {"last_modified": datetime.now(UTC)}}
        found = self._datasets.find_one_and_update({"_id": dataset.id} | _THERE, change, return_document=True)
        if found is None:
            raise _no_dataset(dataset.id)
        return _dataset(found)

    def remove(self, dataset: LabelDataset) -> None:
        """Remove a data set; its items and labels stay on record. Raises NotFound."""
        change = {"$set": {"removed": datetime.now(UTC)}}
        if not self._datasets.update_one({"_id": dataset.id} | _THERE, change).matched_count:
            raise _no_dataset(dataset.id)

    def note_origin(self, dataset: LabelDataset, origin: str) -> None:
        """Add to where the pictures are from, if that is not told yet; the first 500 characters are kept."""
        told = self._datasets.find_one({"_id": dataset.id}, {"origin": True}) or {"origin": ""}
        if origin not in told["origin"].split("; "):
            joined = f"{told['origin']}; {origin}".removeprefix("; ")[:_LONGEST_ORIGIN]
            self._datasets.update_one({"_id": dataset.id}, {"$set": {"origin": joined}})

    def add_items(self, dataset: LabelDataset, items: Sequence[LabelItem]) -> Added:
        """Put pictures into a data set.

        The same name with the same bytes is there already; with other bytes it is a conflict. Neither changes
        anything.
        """
        new = 0
        conflicts: list[str] = []
        for start in range(0, len(items), _BATCH):
            batch = items[start : start + _BATCH]
            refused = self._insert(dataset.id, batch)
            new += len(batch) - len(refused)
            there = {item.id: item for item in self._read(dataset.id, [item.id for item in refused])}
            conflicts += [i.name for i in refused if (i.sha256, i.cutout) != _content(there[i.id])]
        taken = [item.name for item in items]
        if taken:
            self._faults.delete_many({"_id": {"$in": [_fault_key(dataset.id, name) for name in taken]}})
            self._datasets.update_one({"_id": dataset.id}, {"$max": {"last_modified": datetime.now(UTC)}})
        return Added(new, len(items) - new - len(conflicts), tuple(conflicts))

    def note_faults(self, dataset: LabelDataset, faults: Sequence[tuple[str, str]]) -> None:
        """Keep (name, fault) of files that could not be taken in; the latest of each name."""
        now = datetime.now(UTC)
        changes = [
            UpdateOne(
                {"_id": _fault_key(dataset.id, name)},
                {"$set": {"dataset": dataset.id, "name": name, "fault": fault, "at": now}},
                upsert=True,
            )
            for name, fault in faults
        ]
        if changes:
            self._faults.bulk_write(changes, ordered=False)

    def faults(self, dataset: LabelDataset) -> list[FileFault]:
        """The files that could not be taken in, by name."""
        found = self._faults.find({"dataset": dataset.id}).sort("name", 1)
        return [FileFault(d["name"], d["fault"], d["at"]) for d in found]

    def items(
        self, dataset: LabelDataset, *, after: str | None = None, limit: int = 0
    ) -> Iterator[LabelItem]:
        """Pictures in the order of their names, those after a name; all of them without a limit."""
        query: Document = {"_id.dataset": dataset.id} | ({"name": {"$gt": after}} if after else {})
        for document in self._items.find(query).sort("name", 1).limit(limit):
            yield _item(document)

    def find_items(self, dataset: LabelDataset, items: Sequence[str]) -> dict[str, LabelItem]:
        """Pictures by their ids; ids of none are not there."""
        return {item.id: item for item in self._read(dataset.id, items)}

    def count(self, datasets: Sequence[str]) -> dict[str, int]:
        """How many pictures each data set has; those that have none are not there."""
        pipeline: list[Document] = [
            {"$match": {"_id.dataset": {"$in": list(datasets)}}},
            {"$group": {"_id": "$_id.dataset", "n": {"$sum": 1}}},
        ]
        return {found["_id"]: found["n"] for found in self._items.aggregate(pipeline)}

    def _insert(self, dataset: str, items: Sequence[LabelItem]) -> list[LabelItem]:
        """Insert what is new; returns what was there."""
        try:
            self._items.insert_many([_item_document(dataset, item) for item in items], ordered=False)
        except BulkWriteError as error:
            faults = error.details["writeErrors"]
            if any(fault["code"] != _DUPLICATE_KEY for fault in faults):
                raise
            return [items[fault["index"]] for fault in faults]
        return []

    def _read(self, dataset: str, items: Sequence[str]) -> Iterator[LabelItem]:
        keys = [_item_key(dataset, item) for item in items]
        return map(_item, self._items.find({"_id": {"$in": keys}}) if keys else ())


def item_id(name: str) -> str:
    """The id of the item of a file's name: 24 hex digits."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _no_dataset(dataset: str) -> NotFound:
    return NotFound(f"there is no data set {dataset[:80]!r} in this project")


def _content(item: LabelItem) -> tuple[str | None, str]:
    return item.sha256, item.cutout


def _item_key(dataset: str, item: str) -> Document:
    return {"dataset": dataset, "item": item}


def _fault_key(dataset: str, name: str) -> Document:
    return {"dataset": dataset, "item": item_id(name)}


def _document(dataset: LabelDataset) -> Document:
    return {
        "_id": dataset.id,
        "project": dataset.project,
        "name": dataset.name,
        "description": dataset.description,
        "origin": dataset.origin,
        "created": dataset.created,
        "last_modified": dataset.last_modified,
        "removed": None,
    }


def _dataset(document: Document) -> LabelDataset:
    fields = {key: value for key, value in document.items() if key not in ("_id", "removed")}
    return LabelDataset(id=document["_id"], **fields)


def _item_document(dataset: str, item: LabelItem) -> Document:
    return {
        "_id": _item_key(dataset, item.id),
        "name": item.name,
        "cutout": item.cutout,
        "sha256": item.sha256,
    }


def _item(document: Document) -> LabelItem:
    return LabelItem(document["_id"]["item"], document["name"], document["cutout"], document["sha256"])
