"""Production fields that follow a promotion: scores that are on record already become those of the cutouts.

Each change of stages has a number. A pass goes over the cutouts by their ids for the newest of them, and
notes where it has come to: killed anywhere, it goes on there, and after another promotion it begins again.
"""

import time
from collections.abc import Sequence

from storage.database import Document
from storage.decisions import complete_scores, production_fields
from storage.record import Record

AT_ONCE = 1000
"""Cutouts that are held in memory."""
_PASS = {"_id": "production_fields"}


def refresh_production(record: Record, *, for_s: float, at_once: int = AT_ONCE) -> int:
    """Give cutouts the scores of the versions in production where all have scored; returns to how many.

    Works until all cutouts were looked at, or the time is over; to be called again and again, and cheap where
    nothing was promoted. Cutouts that lack a score keep what they have, whose `versions` say by whom. Two at
    the same time do no harm.
    """
    end = time.monotonic() + for_s
    changed = 0
    while True:
        turn = record.models.turn()
        begun = _begun(record, turn)
        if begun["done"]:
            return changed
        cutouts = _next_cutouts(record, begun["after"], at_once)
        changed += _refresh(record, cutouts)
        after = cutouts[-1]["_id"] if cutouts else begun["after"]
        _note(record, {"turn": turn, "after": after, "done": len(cutouts) < at_once})
        if time.monotonic() >= end:
            return changed


def _begun(record: Record, turn: int) -> Document:
    """How far the pass for this change of stages has come."""
    found = record.database["service"].find_one(_PASS)
    return found if found is not None and found["turn"] == turn else {"after": "", "done": False}


def _note(record: Record, come: Document) -> None:
    record.database["service"].update_one(_PASS, {"$set": come}, upsert=True)


def _next_cutouts(record: Record, after: str, at_once: int) -> list[Document]:
    fields = {"versions": True, "scores": True}
    found = record.database["cutouts"].find({"_id": {"$gt": after}}, fields)
    return list(found.sort("_id", 1).limit(at_once))


def _refresh(record: Record, cutouts: Sequence[Document]) -> int:
    """Write the fields of those whose scores are not those of the versions in production."""
    production = record.models.production()
    scores = complete_scores(record, production, {cutout["_id"]: {} for cutout in cutouts})
    stale = {c["_id"]: c for c in cutouts if scores.get(c["_id"], c.get("scores")) != c.get("scores")}
    fields = production_fields(
        record.models, {cutout: scores[cutout] for cutout in stale}, versions=production
    )
    return record.cutouts.replace_production(stale, fields)
