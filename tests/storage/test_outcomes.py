"""Outcomes are inserted once and never updated."""

import pytest

from core.job import Rejection
from core.outcome import Outcome
from storage.record import Record

FLAT = Rejection("decode", "flat", "all pixels are grey 204")


def test_a_second_insert_changes_nothing(record: Record) -> None:
    first = [Outcome("a", "rb@1", score=0.25), Outcome("a", "sl@1", score=0.5)]
    late = [Outcome("a", "rb@1", score=0.75), Outcome("b", "rb@1", score=0.125)]
    assert record.outcomes.insert(first, provenance={"job": "j1"}) == 2
    assert record.outcomes.insert(late, provenance={"job": "j2"}) == 1
    assert record.outcomes.find(["a", "b"], ["rb@1"]) == {
        ("a", "rb@1"): Outcome("a", "rb@1", score=0.25),
        ("b", "rb@1"): Outcome("b", "rb@1", score=0.125),
    }


def test_the_same_cutout_twice_in_one_insert_is_recorded_once(record: Record) -> None:
    twice = [Outcome("a", "rb@1", score=0.5)] * 2
    assert record.outcomes.insert(twice, provenance={}) == 1


def test_a_rejection_is_an_outcome_too(record: Record) -> None:
    record.outcomes.insert([Outcome("a", "rb@1", rejection=FLAT)], provenance={})
    assert record.outcomes.find(["a"], ["rb@1"])["a", "rb@1"].rejection == FLAT


def test_an_outcome_is_a_score_or_a_rejection() -> None:
    with pytest.raises(ValueError, match="expected a score or a rejection"):
        Outcome("a", "rb@1")
    with pytest.raises(ValueError, match="expected a score or a rejection"):
        Outcome("a", "rb@1", score=0.5, rejection=FLAT)


def test_all_versions_of_one_cutout_and_of_no_other(record: Record) -> None:
    outcomes = [Outcome("a", "rb@1", score=0.5), Outcome("a", "sl@1", score=0.5)]
    record.outcomes.insert([*outcomes, Outcome("ab", "rb@1", score=0.5)], provenance={})
    assert [d["_id"]["version"] for d in record.outcomes.of_cutout("a")] == ["rb@1", "sl@1"]


def test_scores_come_highest_first_within_their_range(record: Record) -> None:
    record.outcomes.insert(
        [Outcome(c, "rb@1", score=s) for c, s in zip("abc", (0.1, 0.9, 0.6), strict=True)], provenance={}
    )
    assert record.outcomes.scores("rb@1", low=0.5) == [("b", 0.9), ("c", 0.6)]
