"""Cutouts: one streak id, one content: the first that can be read."""

from storage.cutouts import CutoutRecord
from storage.record import Record

ID = "strkid6740938304150004_pid674093830415"
ONE, OTHER = "1" * 64, "2" * 64


def owner(record: Record) -> str | None:
    document = record.cutouts.get(ID)
    assert document is not None
    sha256: str | None = document["sha256"]
    return sha256


def test_announcing_ties_a_streak_id_to_nothing(record: Record) -> None:
    record.cutouts.announce([CutoutRecord(ID, ONE), CutoutRecord(ID, OTHER)])
    record.cutouts.announce([CutoutRecord(ID, OTHER)])
    assert owner(record) is None
    assert record.cutouts.conflicts([CutoutRecord(ID, ONE)]) == {}


def test_the_first_content_owns_the_id_and_another_is_a_conflict(record: Record) -> None:
    record.cutouts.announce([CutoutRecord(ID, OTHER)])
    assert record.cutouts.own([CutoutRecord(ID, ONE)]) == {}
    assert record.cutouts.own([CutoutRecord(ID, ONE)]) == {}
    assert record.cutouts.own([CutoutRecord(ID, OTHER)]) == {ID: ONE}
    assert record.cutouts.conflicts([CutoutRecord(ID, OTHER)]) == {ID: ONE}
    assert owner(record) == ONE


def test_of_two_contents_at_once_the_first_owns_the_id(record: Record) -> None:
    assert record.cutouts.own([CutoutRecord(ID, ONE), CutoutRecord(ID, OTHER)]) == {ID: ONE}
    assert owner(record) == ONE


def test_a_cutout_without_a_streak_id_is_its_content(record: Record) -> None:
    record.cutouts.announce([CutoutRecord(ONE, ONE)])
    document = record.cutouts.get(ONE)
    assert document is not None
    assert document["sha256"] == ONE


def test_a_reference_learns_its_content_once(record: Record) -> None:
    record.cutouts.announce([CutoutRecord(ID, None, "https://x/a.jpg")])
    assert record.cutouts.own([CutoutRecord(ID, ONE, "https://x/a.jpg")]) == {}
    assert record.cutouts.own([CutoutRecord(ID, OTHER)]) == {ID: ONE}


def test_ids_and_nights_are_strings(record: Record) -> None:
    record.cutouts.announce([CutoutRecord(ID, ONE)])
    document = record.cutouts.get(ID)
    assert document is not None
    assert document["streakid"] == "6740938304150004"
    assert document["night"] == "20181106"
