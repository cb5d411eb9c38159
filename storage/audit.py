"""The audit log: who did what that others should be able to look up, and when. Appended to, never changed."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bson import ObjectId
from bson.errors import InvalidId

from core.errors import InvalidRequest
from storage.database import Document, Mongo


@dataclass(frozen=True)
class AuditEntry:
    """One act: `what` is a stable word, `more` what it was done to."""

    what: str
    who: str
    at: datetime
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class AuditPage:
    """Some entries, and where the next page begins; None at the end."""

    entries: list[AuditEntry]
    next: str | None


class AuditLog:
    """The collection `audit`, which the registry of models writes to as well."""

    def __init__(self, database: Mongo) -> None:
        self._audit = database["audit"]

    def note(self, what: str, *, who: str, **more: Any) -> None:
        """Append an entry; never with a secret in it."""
        self._audit.insert_one({"what": what, "who": who, "at": datetime.now(UTC), **more})

    def read(self, *, limit: int, what: str | None = None, before: str | None = None) -> AuditPage:
        """At most so many entries, newest first: of one kind of act only, and from where a page ended on.

        Raises InvalidRequest for a place that no page told.
        """
        wanted: list[Document] = [] if what is None else [{"what": what}]
        if before is not None:
            at, last = _read_place(before)
            wanted += [{"at": {"$lte": at}}, {"$or": [{"at": {"$lt": at}}, {"_id": {"$lt": last}}]}]
        found = self._audit.find({"$and": wanted} if wanted else {}).sort([("at", -1), ("_id", -1)])
        documents = list(found.limit(limit + 1))
        place = _write_place(documents[limit - 1]) if len(documents) > limit else None
        return AuditPage([_entry(document) for document in documents[:limit]], place)

    def kinds(self) -> list[str]:
        """Every `what` that there is."""
        return sorted(self._audit.distinct("what"))


def _entry(document: Document) -> AuditEntry:
    more = {key: value for key, value in document.items() if key not in ("_id", "what", "who", "at")}
    return AuditEntry(document["what"], document["who"], document["at"], more)


def _write_place(document: Document) -> str:
    return f"{round(document['at'].timestamp() * 1000)}.{document['_id']}"


def _read_place(text: str) -> tuple[datetime, ObjectId]:
    at, _, last = text.partition(".")
    try:
        if not at.isdecimal():
            raise ValueError(at)
        return datetime.fromtimestamp(int(at) / 1000, UTC), ObjectId(last)
    except (ValueError, OverflowError, OSError, InvalidId) as error:
        raise InvalidRequest(f"place {text[:40]!r}; expected the one that the page before told") from error
