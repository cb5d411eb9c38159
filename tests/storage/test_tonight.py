"""Streaks of a night or of the last hours, by an index; verdicts, appended and never changed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.errors import Conflict, NotFound
from core.verdict import Verdict, Word
from storage.database import Document
from storage.record import Record
from storage.tonight import Window, streak_ids, streaks

NOW = datetime(2026, 11, 26, 6, tzinfo=UTC)
NIGHT = "20261126"


@pytest.fixture
def night(record: Record) -> Record:
    """30 cutouts of two nights, every third plausible, one an hour and the oldest last by id."""
    documents: list[Document] = [
        {
            "_id": f"c{n:02}",
            "night": NIGHT if n % 2 else "20261125",
            "added": NOW - timedelta(hours=n),
            "plausible": n % 3 == 0,
            "ades": {"obsBlock": None},
        }
        for n in range(30)
    ]
    record.database["cutouts"].insert_many(documents)
    return record


def verdict(
    n: int, cutout: str = "c00", word: Word = "accepted", *, person: str = "ann", undoes: str | None = None
) -> Verdict:
    at = NOW + timedelta(seconds=n)
    return Verdict(f"{n:032x}", cutout, word, person, at, undoes=undoes)


def test_plausible_streaks_come_in_the_order_in_which_they_came(night: Record) -> None:
    assert streak_ids(night, Window(None, NOW - timedelta(hours=12))) == ["c12", "c09", "c06", "c03", "c00"]
    assert streak_ids(night, Window(NIGHT, NOW)) == ["c27", "c21", "c15", "c09", "c03"]
    found = streaks(night, ["c09", "nothing", "c03"])
    assert [(d["_id"], "ades" in d) for d in found] == [("c09", False), ("c03", False)]
    assert "ades" in streaks(night, ["c09"], whole=True)[0]


@pytest.mark.parametrize("window", [Window(NIGHT, NOW), Window(None, NOW - timedelta(hours=12))])
def test_an_index_gives_the_ids_of_a_window_without_a_look_at_any_cutout(
    night: Record, window: Window
) -> None:
    found = night.database["cutouts"].find(window.query(), {"_id": True})
    stats = found.sort([("added", 1), ("_id", 1)]).limit(20).explain()["executionStats"]
    assert (stats["nReturned"], stats["totalDocsExamined"]) == (5, 0)
    assert stats["totalKeysExamined"] <= 6


def test_an_event_that_is_sent_twice_is_one(record: Record) -> None:
    first = verdict(1)
    assert record.verdicts.add(first) is True
    assert record.verdicts.add(replace(first, at=first.at + timedelta(hours=1))) is False
    with pytest.raises(Conflict, match="another one"):
        record.verdicts.add(replace(first, word="rejected"))
    assert record.verdicts.of_cutout("c00") == [first]


def test_undoing_is_an_event_too_and_only_of_one_s_own(record: Record) -> None:
    theirs, mine = verdict(1, person="bob", word="rejected"), verdict(2)
    undo = verdict(3, word="undone", undoes=mine.id)
    for each in (theirs, mine):
        record.verdicts.add(each)
    assert record.verdicts.standing(["c00", "c01"]) == {"c00": mine}
    before = record.verdicts.newest()
    record.verdicts.add(undo)
    assert record.verdicts.newest() != before
    assert record.verdicts.standing(["c00"]) == {"c00": theirs}
    assert record.verdicts.of_cutout("c00") == [theirs, mine, undo]
    with pytest.raises(Conflict, match="bob's"):
        record.verdicts.add(verdict(4, word="undone", undoes=theirs.id))
    for undoes, cutout in ((f"{9:032x}", "c00"), (mine.id, "c01"), (undo.id, "c00")):
        with pytest.raises(NotFound):
            record.verdicts.add(verdict(5, cutout, "undone", undoes=undoes))
