"""Verdicts on record: events, appended and never changed."""

from collections.abc import Sequence

from pymongo.errors import DuplicateKeyError

from core.errors import Conflict, NotFound
from core.verdict import Verdict, standing
from storage.database import Document, Mongo

_AT_ONCE = 2000


class VerdictRepository:
    """The collection `verdicts`."""

    def __init__(self, database: Mongo) -> None:
        self._verdicts = database["verdicts"]

    def add(self, verdict: Verdict) -> bool:
        """Append an event; False where it is there already.

        Raises Conflict where its id is another event's or it undoes somebody else's, NotFound where it undoes
        none of that cutout.
        """
        if verdict.undoes is not None:
            self._check_undoing(verdict)
        try:
            self._verdicts.insert_one(_document(verdict))
        except DuplicateKeyError as error:
            found = self._verdicts.find_one({"_id": verdict.id})
            if found is None or _meant(_verdict(found)) != _meant(verdict):
                raise Conflict(f"verdict {verdict.id} is another one; expected an id of its own") from error
            return False
        return True

    def of_cutout(self, cutout: str) -> list[Verdict]:
        """All events of a cutout, in their order."""
        return self._ordered({"cutout": cutout})

    def standing(self, cutouts: Sequence[str]) -> dict[str, Verdict]:
        """By cutout, the verdict that stands, of those that have one."""
        events: dict[str, list[Verdict]] = {}
        for start in range(0, len(cutouts), _AT_ONCE):
            for verdict in self._ordered({"cutout": {"$in": list(cutouts[start : start + _AT_ONCE])}}):
                events.setdefault(verdict.cutout, []).append(verdict)
        found = {cutout: standing(given) for cutout, given in events.items()}
        return {cutout: verdict for cutout, verdict in found.items() if verdict is not None}

    def newest(self) -> tuple[str, ...]:
        """The ids of the latest events: others, as soon as there is a new one."""
        found = self._verdicts.find({}, {"_id": True}).sort([("at", -1), ("_id", -1)]).limit(20)
        return tuple(document["_id"] for document in found)

    def _check_undoing(self, verdict: Verdict) -> None:
        found = self._verdicts.find_one({"_id": verdict.undoes, "cutout": verdict.cutout})
        if found is None or found["word"] == "undone":
            raise NotFound(
                f"there is no verdict {str(verdict.undoes)[:40]!r} of {verdict.cutout[:100]} to undo"
            )
        if found["person"] != verdict.person:
            raise Conflict(f"that verdict is {found['person']}'s; expected one's own: give another instead")

    def _ordered(self, query: Document) -> list[Verdict]:
        return [_verdict(document) for document in self._verdicts.find(query).sort([("at", 1), ("_id", 1)])]


def _meant(verdict: Verdict) -> tuple[object, ...]:
    return verdict.cutout, verdict.word, verdict.person, verdict.undoes


def _document(verdict: Verdict) -> Document:
    document = vars(verdict) | {"_id": verdict.id}
    del document["id"]
    return document


def _verdict(document: Document) -> Verdict:
    found = {**document, "id": document["_id"]}
    del found["_id"]
    return Verdict(**found)
