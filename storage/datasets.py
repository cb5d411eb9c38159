"""Data sets: cards and items, written once and never changed."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from pymongo.errors import BulkWriteError, DuplicateKeyError

from core.dataset import DataSetCard, LabelledCutout, LeftOut, Reserved, Split
from core.errors import Conflict, NotFound
from storage.database import Document, Mongo

_BATCH = 5000
_DUPLICATE_KEY = 11000


class DataSetRepository:
    """The collections `datasets` (cards by name) and `dataset_items` (by fingerprint and number)."""

    def __init__(self, database: Mongo) -> None:
        self._cards = database["datasets"]
        self._items = database["dataset_items"]

    def freeze(self, card: DataSetCard, items: Sequence[LabelledCutout]) -> tuple[DataSetCard, bool]:
        """Record a data set for good; returns its card, and whether these contents were on record already.

        Then the card is that of the first time, which may have another name. The card is written last: items
        without a card are nobody's. Raises Conflict where the name has other contents, and for a second
        benchmark of a classifier.
        """
        known = self._known(card)
        if known is not None:
            return known, True
        self._insert(card.fingerprint, items)
        try:
            self._cards.insert_one({"_id": card.name, **_document(card)})
        except DuplicateKeyError:
            known = self._known(card)  # somebody was quicker; raises what they left us
            if known is None:
                raise
            return known, True
        return self.get(card.name), False

    def get(self, name: str) -> DataSetCard:
        """The card of a data set; raises NotFound."""
        document = self._cards.find_one({"_id": name})
        if document is None:
            raise NotFound(f"there is no data set {name!r}")
        return _card(document)

    def all(self) -> list[DataSetCard]:
        """Every card, the newest first."""
        return [_card(document) for document in self._cards.find().sort("created", -1)]

    def items(self, name: str, split: Split | None = None) -> Iterator[LabelledCutout]:
        """The items of a data set, or of one split, by sha256; raises NotFound before the first."""
        return self._read(self.get(name).fingerprint, split)

    def training_items(self, name: str, split: Split) -> tuple[list[LabelledCutout], list[LabelledCutout]]:
        """What a training may read of a split, and what it may not since a benchmark was declared later.

        Raises NotFound; Conflict for a benchmark, of which no training may read anything.
        """
        card = self.get(name)
        if card.benchmark:
            raise Conflict(f"{name!r} is the benchmark of {card.classifier}; expected a data set to train on")
        reserved = self.reserved()
        kept: list[LabelledCutout] = []
        held_back: list[LabelledCutout] = []
        for item in self._read(card.fingerprint, split):
            (held_back if reserved.holds(item.sha256, item.night) else kept).append(item)
        return kept, held_back

    def reserved(self) -> Reserved:
        """Contents and nights of every benchmark, whichever classifier it is for."""
        held = [
            (item.sha256, item.night)
            for document in self._cards.find({"benchmark": True}, {"fingerprint": True})
            for item in self._read(document["fingerprint"], None)
        ]
        nights = frozenset(night for _, night in held if night)
        return Reserved(frozenset(sha256 for sha256, _ in held), nights)

    def _known(self, card: DataSetCard) -> DataSetCard | None:
        """The card of these contents, if they are on record; raises Conflict for what they contradict."""
        same = self._cards.find_one({"fingerprint": card.fingerprint})
        if same is not None:
            return _card(same)
        if self._cards.find_one({"_id": card.name}, {"_id": True}) is not None:
            raise Conflict(
                f"data set {card.name!r} has other contents; expected another name: a data set never changes"
            )
        if card.benchmark:
            other = self._cards.find_one({"classifier": card.classifier, "benchmark": True}, {"_id": True})
            if other is not None:
                raise Conflict(
                    f"the benchmark of {card.classifier} is {other['_id']!r}; expected one for good"
                )
        return None

    def _insert(self, fingerprint: str, items: Sequence[LabelledCutout]) -> None:
        for start in range(0, len(items), _BATCH):
            documents = [
                {"_id": {"dataset": fingerprint, "n": n}, **_item_document(item)}
                for n, item in enumerate(items[start : start + _BATCH], start)
            ]
            try:
                self._items.insert_many(documents, ordered=False)
            except BulkWriteError as error:  # one who was cut off came so far with the same contents
                if any(fault["code"] != _DUPLICATE_KEY for fault in error.details["writeErrors"]):
                    raise

    def _read(self, fingerprint: str, split: Split | None) -> Iterator[LabelledCutout]:
        query: Document = {"_id.dataset": fingerprint} | ({"split": split} if split else {})
        for document in self._items.find(query).sort("_id.n", 1):
            yield LabelledCutout(
                id=document["cutout"],
                sha256=document["sha256"],
                label=document["label"],
                split=document["split"],
                night=document["night"],
            )


def _item_document(item: LabelledCutout) -> Document:
    document = asdict(item)
    document["cutout"] = document.pop("id")
    return document


def _document(card: DataSetCard) -> Document:
    document = asdict(card)
    del document["name"]
    return document


def _card(document: Document) -> DataSetCard:
    fields = {key: value for key, value in document.items() if key != "_id"}
    fields["left_out"] = tuple(
        LeftOut(found["reason"], found["count"], tuple(found["names"])) for found in fields["left_out"]
    )
    fields |= {key: tuple(fields[key]) for key in ("classes", "shares")}
    return DataSetCard(name=document["_id"], **fields)
