"""What was settled after people disagreed: the class of an item that stands, whoever said what."""

from dataclasses import dataclass
from datetime import datetime

from pymongo.errors import DuplicateKeyError

from core.errors import Conflict
from storage.database import Document, Mongo


@dataclass(frozen=True, slots=True)
class Settlement:
    """One decision; without a class it takes back what was decided before. `id` is made by who sends it."""

    id: str
    item: str
    classes: tuple[str, ...]
    person: str
    at: datetime


class SettlementRepository:
    """The collection `label_settlements` ({data set, id}): decisions are added and never changed."""

    def __init__(self, database: Mongo) -> None:
        self._settlements = database["label_settlements"]

    def add(self, dataset: str, settlement: Settlement) -> None:
        """Record a decision; one that is on record changes nothing. Raises Conflict for another of its id."""
        document: Document = {
            "_id": {"dataset": dataset, "id": settlement.id},
            "item": settlement.item,
            "classes": list(settlement.classes),
            "person": settlement.person,
            "at": settlement.at,
        }
        try:
            self._settlements.insert_one(document)
        except DuplicateKeyError as error:
            there = self._settlements.find_one({"_id": document["_id"]}) or {}
            if any(there[key] != document[key] for key in ("item", "classes", "person")):
                raise Conflict(
                    f"{settlement.id!r} is on record with another content; expected a new id"
                ) from error

    def of_dataset(self, dataset: str) -> dict[str, Settlement]:
        """By item, the decision that stands: the latest."""
        latest: dict[str, Settlement] = {}
        for found in self._settlements.find({"_id.dataset": dataset}).sort([("at", 1), ("_id", 1)]):
            latest[found["item"]] = _settlement(found)
        return {item: settlement for item, settlement in latest.items() if settlement.classes}


def _settlement(document: Document) -> Settlement:
    return Settlement(
        id=document["_id"]["id"],
        item=document["item"],
        classes=tuple(document["classes"]),
        person=document["person"],
        at=document["at"],
    )
