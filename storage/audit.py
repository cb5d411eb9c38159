"""The audit log: who did what that others should be able to look up, and when. Appended to, never changed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from storage.database import Mongo


@dataclass(frozen=True)
class AuditEntry:
    """One act: `what` is a stable word, `more` what it was done to."""

    what: str
    who: str
    at: datetime
    more: dict[str, Any] = field(default_factory=dict)


class AuditLog:
    """The collection `audit`, which the registry of models writes to as well."""

    def __init__(self, database: Mongo) -> None:
        self._audit = database["audit"]

    def note(self, what: str, *, who: str, **more: Any) -> None:
        """Append an entry; never with a secret in it."""
        self._audit.insert_one({"what": what, "who": who, "at": datetime.now(UTC), **more})

    def newest(self, limit: int) -> Sequence[AuditEntry]:
        """The latest entries, newest first."""
        return [
            AuditEntry(d.pop("what"), d.pop("who"), d.pop("at"), d)
            for d in self._audit.find({}, {"_id": False}).sort("at", -1).limit(limit)
        ]
