"""Labels: who called which cutout what, for which classifier."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from core.errors import InvalidRequest
from storage.database import Document, Mongo


@dataclass(frozen=True, slots=True)
class Label:
    """One person's last word on a cutout: 0 or 1, and when it was said."""

    cutout: str
    classifier: str
    person: str
    value: int
    when: datetime


class LabelRepository:
    """The collection `labels`: one document for each cutout, classifier and person, with all they said."""

    def __init__(self, database: Mongo) -> None:
        self._labels = database["labels"]

    def put(self, label: Label) -> None:
        """Record a label beside what the person said before; the latest by its time is the one that counts.

        Raises InvalidRequest for a value that is neither 0 nor 1.
        """
        if isinstance(label.value, bool) or label.value not in (0, 1):
            raise InvalidRequest(f"label {label.value!r} of {label.cutout}; expected 0 or 1")
        key = {"cutout": label.cutout, "classifier": label.classifier, "person": label.person}
        said = {"value": label.value, "when": label.when}
        before: Document = {"$ifNull": ["$said", []]}
        later: Document = {"$gt": ["$when", label.when]}
        change: Document = {
            "said": {"$cond": [{"$in": [said, before]}, before, {"$concatArrays": [before, [said]]}]},
            "value": {"$cond": [later, "$value", label.value]},
            "when": {"$max": ["$when", label.when]},
        }
        self._labels.update_one({"_id": key}, [{"$set": change}], upsert=True)

    def of_cutout(self, cutout: str) -> list[Label]:
        """Every person's label of a cutout that counts, latest first."""
        found = self._labels.find(
            {"_id": {"$gte": {"cutout": cutout}, "$lt": {"cutout": cutout + "\0"}}}, {"said": False}
        )
        return sorted(map(_label, found), key=lambda label: label.when, reverse=True)

    def of_classifier(self, classifier: str) -> Iterator[Label]:
        """Every label of a classifier that counts, those of one cutout together."""
        found = self._labels.find({"_id.classifier": classifier}, {"said": False})
        for document in found.sort([("_id.cutout", 1), ("_id.person", 1)]):
            yield _label(document)


def _label(document: Document) -> Label:
    key = document["_id"]
    return Label(key["cutout"], key["classifier"], key["person"], document["value"], document["when"])
