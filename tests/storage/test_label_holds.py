"""Holds: no more people are given an item than are to label it, also where all ask at once."""

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.label_holds import LabelHoldRepository
from storage.record import Record

FIELD = "d" * 24
ITEMS = [f"item-{n}" for n in range(20)]


def take(
    record: Record, person: str, items: Iterable[str] = ITEMS, *, labelled: str = "", overlap: int = 1
) -> set[str]:
    """`labelled` has labelled all of them, if anybody has."""
    people = {labelled} - {""}
    return record.label_holds.take(FIELD, person, dict.fromkeys(items, people), overlap=overlap)


def test_what_one_person_holds_another_is_not_given(record: Record) -> None:
    assert take(record, "anna", ITEMS[:8]) == set(ITEMS[:8])
    assert take(record, "ben") == set(ITEMS[8:])
    assert take(record, "anna") == set(ITEMS[:8])
    assert take(record, "anna", []) == set()


@pytest.mark.parametrize("overlap", [1, 2])
def test_all_at_once_are_given_each_item_as_often_as_it_is_wanted(record: Record, overlap: int) -> None:
    people = [f"person-{n}" for n in range(6)]
    with ThreadPoolExecutor(len(people)) as threads:
        taken = list(threads.map(lambda person: take(record, person, overlap=overlap), people))
    assert Counter(item for items in taken for item in items) == dict.fromkeys(ITEMS, overlap)


def test_who_has_labelled_an_item_counts_once_with_what_they_hold(record: Record) -> None:
    assert take(record, "anna", overlap=2) == set(ITEMS)
    assert take(record, "ben", labelled="anna", overlap=2) == set(ITEMS)
    assert take(record, "cleo", labelled="anna", overlap=2) == set()
    assert take(record, "anna", labelled="anna", overlap=2) == set(ITEMS)
    assert take(record, "dora", labelled="anna", overlap=1) == set()


def test_a_hold_ends_by_itself(record: Record) -> None:
    gone = LabelHoldRepository(record.database, hold_s=0)
    assert gone.take(FIELD, "anna", dict.fromkeys(ITEMS, frozenset[str]()), overlap=1) == set(ITEMS)
    assert take(record, "ben") == set(ITEMS)


@pytest.mark.parametrize("name", ["$until", "$$ROOT", "a.b", "{}"])
def test_no_name_is_read_as_a_command(record: Record, name: str) -> None:
    assert take(record, name, ITEMS[:2]) == set(ITEMS[:2])
    assert take(record, "ben", ITEMS[:2]) == set()
