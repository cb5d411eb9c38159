"""Cutouts: one streak id, one content."""

from storage.cutouts import CutoutRecord
from storage.record import Record

ID = "strkid6740938304150004_pid674093830415"
ONE, OTHER = "1" * 64, "2" * 64


def test_registering_twice_changes_nothing(record: Record) -> None:
    assert record.cutouts.register([CutoutRecord(ID, ONE)]) == {}
    assert record.cutouts.register([CutoutRecord(ID, ONE)]) == {}


def test_other_bytes_under_a_streak_id_are_a_conflict_and_no_overwrite(record: Record) -> None:
    record.cutouts.register([CutoutRecord(ID, ONE)])
    assert record.cutouts.register([CutoutRecord(ID, OTHER)]) == {ID: ONE}
    document = record.cutouts.get(ID)
    assert document is not None
    assert document["sha256"] == ONE


def test_two_contents_in_one_registration_are_a_conflict(record: Record) -> None:
    assert record.cutouts.register([CutoutRecord(ID, ONE), CutoutRecord(ID, OTHER)]) == {ID: ONE}


def test_a_reference_learns_its_content_once(record: Record) -> None:
    assert record.cutouts.register([CutoutRecord(ID, None, "https://x/a.jpg")]) == {}
    assert record.cutouts.register([CutoutRecord(ID, ONE, "https://x/a.jpg")]) == {}
    assert record.cutouts.register([CutoutRecord(ID, OTHER)]) == {ID: ONE}


def test_ids_and_nights_are_strings(record: Record) -> None:
    record.cutouts.register([CutoutRecord(ID, ONE)])
    document = record.cutouts.get(ID)
    assert document is not None
    assert document["streakid"] == "6740938304150004"
    assert document["night"] == "20181106"
