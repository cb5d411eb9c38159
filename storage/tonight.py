"""The plausible streaks of a night, or of the last hours, in the order in which they came."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from storage.database import Document
from storage.record import Record

MOST = 20_000
"""Streaks of one window that are known; those that came later are not looked at."""


@dataclass(frozen=True)
class Window:
    """A night, `YYYYMMDD`, or, without one, everything that came since a moment."""

    night: str | None
    since: datetime

    def query(self) -> Document:
        """On `cutouts`; indexes hold what it asks and the order of `streak_ids`."""
        when: Document = {"added": {"$gte": self.since}} if self.night is None else {"night": self.night}
        return {"plausible": True, **when}


def streak_ids(record: Record, window: Window) -> list[str]:
    """The ids of the streaks of a window, as they came, MOST at most; read from an index alone."""
    found = record.database["cutouts"].find(window.query(), {"_id": True})
    return [document["_id"] for document in found.sort([("added", 1), ("_id", 1)]).limit(MOST)]


def streaks(record: Record, ids: Sequence[str], *, whole: bool = False) -> list[Document]:
    """Their documents, in the order of `ids`, with the survey's ADES where they are to be `whole`."""
    fields = None if whole else {"ades": False}
    found = {d["_id"]: d for d in record.database["cutouts"].find({"_id": {"$in": list(ids)}}, fields)}
    return [found[cutout] for cutout in ids if cutout in found]
