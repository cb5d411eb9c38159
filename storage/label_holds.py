"""What people have before their eyes, so that no more of them are given an item than are to label it."""

from collections.abc import Mapping, Sequence, Set
from datetime import UTC, datetime, timedelta

from pymongo import UpdateOne

from storage.database import Document, Mongo

HOLD_S = 300
"""How long an item stays with somebody who does not ask for it again; the page asks twice in that time."""


class LabelHoldRepository:
    """The collection `label_holds` ({data set, item}): who holds an item, each until when.

    A hold keeps others from being offered the item. It is no lock: a label counts whoever gives it.
    """

    def __init__(self, database: Mongo, *, hold_s: float = HOLD_S) -> None:
        self._holds = database["label_holds"]
        self._hold = timedelta(seconds=hold_s)

    def take(
        self, dataset: str, person: str, labelled_by: Mapping[str, Set[str]], *, overlap: int
    ) -> set[str]:
        """Hold items for a person, where fewer than `overlap` others have labelled them or hold them.

        `labelled_by` names the items, and of each who has labelled it. Returns those that are held now.
        """
        if not labelled_by:
            return set()
        now = datetime.now(UTC)
        ends = now + self._hold
        changes = []
        for item, people in labelled_by.items():
            others = people - {person}
            key = {"dataset": dataset, "item": item}
            changes.append(UpdateOne({"_id": key}, {"$max": {"until": ends}}, upsert=True))
            if len(others) < overlap:
                changes.append(_taking(key, person, sorted(others), now, ends, room=overlap - len(others)))
        self._holds.bulk_write(changes)
        return self._held_by(dataset, person, list(labelled_by), ends)

    def _held_by(self, dataset: str, person: str, items: Sequence[str], ends: datetime) -> set[str]:
        keys = [{"dataset": dataset, "item": item} for item in items]
        mine = {"$elemMatch": {"person": person, "until": {"$gte": _to_milliseconds(ends)}}}
        return {
            found["_id"]["item"]
            for found in self._holds.find({"_id": {"$in": keys}, "by": mine}, {"_id": True})
        }


def _taking(
    key: Document, person: str, labelled: Sequence[str], now: datetime, ends: datetime, *, room: int
) -> UpdateOne:
    """One step, decided by MongoDB: hold it if those who hold it, and have not labelled it, leave room."""
    held = {"$ifNull": ["$by", []]}
    lasts = {"$gt": ["$$hold.until", now]}
    others = {"$and": [lasts, {"$not": [{"$in": ["$$hold.person", {"$literal": [person, *labelled]}]}]}]}
    in_the_way = {"$size": {"$filter": {"input": held, "as": "hold", "cond": others}}}
    kept = {"$and": [lasts, {"$ne": ["$$hold.person", {"$literal": person}]}]}
    by = {
        "$concatArrays": [
            {"$filter": {"input": held, "as": "hold", "cond": kept}},
            [{"person": {"$literal": person}, "until": ends}],
        ]
    }
    return UpdateOne({"_id": key, "$expr": {"$lt": [in_the_way, room]}}, [{"$set": {"by": by}}])


def _to_milliseconds(at: datetime) -> datetime:
    """As MongoDB keeps it."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
