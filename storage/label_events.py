"""Labels as they were given: events that are only ever added, and what of them counts, derived from them."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from core.errors import Conflict, InvalidRequest
from core.label_event import EVENT_ID, Event, Label, Said, Seen, Undone, last_word
from storage.database import Document, Mongo

_DUPLICATE_KEY = 11000


@dataclass(frozen=True, slots=True)
class Received:
    """How many events are new, and how many were on record already."""

    new: int
    known: int


@dataclass(frozen=True, slots=True)
class Noted:
    """An event on record: whose it is, of which item, and when it came."""

    person: str
    item: str
    event: Event
    received: datetime


class LabelEventRepository:
    """The collections `label_events` ({data set, person, id}) and `label_states` ({data set, item, person}).

    A person's events are theirs alone, so nobody can overwrite another's label. A state is what the events on
    record say; it notes how many they were, and one that was derived from more is never replaced.
    """

    def __init__(self, database: Mongo) -> None:
        self._events = database["label_events"]
        self._states = database["label_states"]

    def add(self, dataset: str, person: str, events: Sequence[Event]) -> Received:
        """Record one person's events, in their order; those that are on record change nothing.

        All or none: raises InvalidRequest for an id that is none and for undoing what is no label of theirs,
        Conflict for another event under the id of one on record. Times in the future count as now.
        """
        now = datetime.now(UTC)
        documents = self._documents(dataset, person, events, now)
        if not documents:
            return Received(0, 0)
        known = self._known(documents)
        fresh = [document for document in documents if document["_id"]["id"] not in known]
        self._insert(fresh)
        self._derive(dataset, person, sorted({document["item"] for document in documents}))
        return Received(len(fresh), len(events) - len(fresh))

    def labels(
        self, dataset: str, *, person: str | None = None, items: Sequence[str] | None = None
    ) -> Iterator[Label]:
        """What each person, or one, says of each item, or of some, now; those of one item together."""
        query: Document = {"_id.dataset": dataset, "labelled": True}
        if person is not None:
            query["_id.person"] = person
        if items is not None:
            query["_id.item"] = {"$in": list(items)}
        for document in self._states.find(query).sort([("_id.item", 1), ("_id.person", 1)]):
            yield _label(document)

    def events(self, dataset: str) -> Iterator[Noted]:
        """Everything that was said of a data set, in the order in which it came."""
        order = [("received", 1), ("_id.person", 1), ("n", 1)]
        for document in self._events.find({"_id.dataset": dataset}).sort(order):
            event = _event(document)
            yield Noted(document["_id"]["person"], document["item"], event, document["received"])

    def count_labelled(self, datasets: Sequence[str]) -> dict[str, int]:
        """How many items of each data set anybody has labelled; those without labels are not there."""
        pipeline: list[Document] = [
            {"$match": {"_id.dataset": {"$in": list(datasets)}, "labelled": True}},
            {"$group": {"_id": {"dataset": "$_id.dataset", "item": "$_id.item"}}},
            {"$group": {"_id": "$_id.dataset", "n": {"$sum": 1}}},
        ]
        return {found["_id"]: found["n"] for found in self._states.aggregate(pipeline)}

    def count_by_person(self, dataset: str) -> dict[str, int]:
        """How many items of a data set each person has labelled."""
        pipeline: list[Document] = [
            {"$match": {"_id.dataset": dataset, "labelled": True}},
            {"$group": {"_id": "$_id.person", "n": {"$sum": 1}}},
            {"$sort": {"_id": 1}},
        ]
        return {found["_id"]: found["n"] for found in self._states.aggregate(pipeline)}

    def count_class(self, datasets: Sequence[str], name: str) -> int:
        """How many labels that count give a class."""
        return self._states.count_documents({"_id.dataset": {"$in": list(datasets)}, "classes": name})

    def _documents(self, dataset: str, person: str, events: Sequence[Event], now: datetime) -> list[Document]:
        items = self._items_undone(dataset, person, events)
        documents: dict[str, Document] = {}
        for n, event in enumerate(events):
            if not EVENT_ID.fullmatch(event.id):
                raise InvalidRequest(
                    f"event id {event.id[:110]!r}; expected 8 to 100 letters, digits and . _ : # -"
                )
            document: Document = {
                "_id": _key(dataset, person, event.id),
                "at": min(event.at, now),
                "received": now,
                "n": n,
            }
            if isinstance(event, Undone):
                if event.undoes not in items:
                    raise InvalidRequest(
                        f"undo of {event.undoes[:110]!r}; expected the id of a label of yours"
                    )
                document |= {"item": items[event.undoes], "undoes": event.undoes}
            else:
                items[event.id] = event.item
                document |= {"item": event.item, "classes": list(event.classes), "seen": asdict(event.seen)}
            _refuse_other(documents.setdefault(event.id, document), document)
        return list(documents.values())

    def _items_undone(self, dataset: str, person: str, events: Sequence[Event]) -> dict[str, str]:
        """The item of each label on record that one of the events undoes, by its id."""
        ids = {event.undoes for event in events if isinstance(event, Undone)}
        keys = [_key(dataset, person, event) for event in ids]
        query: Document = {"_id": {"$in": keys}, "undoes": {"$exists": False}}
        return {d["_id"]["id"]: d["item"] for d in self._events.find(query, {"item": True})} if keys else {}

    def _known(self, documents: Sequence[Document]) -> set[str]:
        """The ids that are on record, with the same content."""
        by_id = {document["_id"]["id"]: document for document in documents}
        found = list(self._events.find({"_id": {"$in": [document["_id"] for document in documents]}}))
        for document in found:
            _refuse_other(document, by_id[document["_id"]["id"]])
        return {document["_id"]["id"] for document in found}

    def _insert(self, documents: Sequence[Document]) -> None:
        if not documents:
            return
        try:
            self._events.insert_many(documents, ordered=False)
        except BulkWriteError as error:  # the same request came twice at once
            _refuse_others(error)

    def _derive(self, dataset: str, person: str, items: Sequence[str]) -> None:
        """Bring the states of a person's items up to their events."""
        query = {"_id.dataset": dataset, "_id.person": person, "item": {"$in": items}}
        said: dict[str, list[Said]] = defaultdict(list)
        undone: dict[str, set[str]] = defaultdict(set)
        count = Counter[str]()
        for document in self._events.find(query).sort([("received", 1), ("n", 1)]):
            event = _event(document)
            count[document["item"]] += 1
            if isinstance(event, Undone):
                undone[document["item"]].add(event.undoes)
            else:
                said[document["item"]].append(event)
        changes = []
        for item in items:
            last = last_word(said[item], frozenset(undone[item]))
            n = count[item]
            changes.append(
                UpdateOne(
                    {"_id": _state_key(dataset, item, person), "n": {"$lt": n}},
                    {"$set": _state(last) | {"n": n}},
                    upsert=True,
                )
            )
        try:
            self._states.bulk_write(changes, ordered=False)
        except BulkWriteError as error:  # one that was derived from as many events is there
            _refuse_others(error)


def _refuse_others(error: BulkWriteError) -> None:
    if any(fault["code"] != _DUPLICATE_KEY for fault in error.details["writeErrors"]):
        raise error


def _refuse_other(there: Document, given: Document) -> None:
    said = [{key: document.get(key) for key in ("item", "classes", "undoes")} for document in (there, given)]
    if said[0] != said[1]:
        raise Conflict(f"event {given['_id']['id']!r} is on record with another content; expected a new id")


def _key(dataset: str, person: str, event: str) -> Document:
    return {"dataset": dataset, "person": person, "id": event}


def _state_key(dataset: str, item: str, person: str) -> Document:
    return {"dataset": dataset, "item": item, "person": person}


def _state(last: Said | None) -> Document:
    if last is None or not last.classes:
        return {"labelled": False, "classes": []}
    return {
        "labelled": True,
        "classes": list(last.classes),
        "at": last.at,
        "scores_shown": last.seen.scores,
        "event": last.id,
    }


def _event(document: Document) -> Event:
    event = document["_id"]["id"]
    if "undoes" in document:
        return Undone(event, document["undoes"], document["at"])
    classes = tuple(document["classes"])
    return Said(event, document["item"], classes, document["at"], Seen(**document["seen"]))


def _label(document: Document) -> Label:
    key = document["_id"]
    return Label(
        item=key["item"],
        person=key["person"],
        classes=tuple(document["classes"]),
        at=document["at"],
        scores_shown=document["scores_shown"],
        event=document["event"],
    )
