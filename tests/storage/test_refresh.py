"""What a promotion makes of cutouts that have the scores already."""

from typing import Any

import pytest

from core.outcome import Outcome
from storage.cutouts import CutoutRecord, CutoutRepository
from storage.database import Document
from storage.decisions import production_fields, set_production
from storage.record import Record
from storage.refresh import refresh_production
from tests.record import card, register

N = 20
OLD, NEW, SL = "rb@1", "rb@2", "sl@1"


def name(n: int) -> str:
    return f"cutout-{n:02}"


def filled(record: Record) -> None:
    """Cutouts scored by what is in production; all but each fifth of them by a candidate, too."""
    register(record, OLD, SL)
    record.models.register(card(NEW, b"new"), b"new")
    record.cutouts.announce([CutoutRecord(name(n), None) for n in range(N)])
    scores = {name(n): {OLD: 0.2, SL: 0.9} for n in range(N)}
    outcomes = [Outcome(cutout, v, score) for cutout, of in scores.items() for v, score in of.items()]
    outcomes += [Outcome(name(n), NEW, n / N) for n in range(N) if n % 5]
    record.outcomes.insert(outcomes, provenance={})
    set_production(record, (OLD, SL), scores)
    assert refresh_production(record, for_s=9) == 0


def fields(record: Record, n: int) -> tuple[object, ...]:
    found: Document = record.cutouts.get(name(n)) or {}
    return found["rb"], found["versions"]["rb"], found["scores"].get(NEW), found["plausible"]


def test_a_promotion_brings_the_scores_on_record_without_a_rescore(record: Record) -> None:
    filled(record)
    record.models.promote(NEW, by="me", even_if_worse=True)
    assert refresh_production(record, for_s=9) == 16
    assert fields(record, 3) == (0.15, NEW, 0.15, False)
    assert fields(record, 19) == (0.95, NEW, 0.95, True)
    assert fields(record, 5) == (0.2, OLD, None, False)  # nothing by the new one: as it was, and it says so
    assert refresh_production(record, for_s=9) == 0
    record.models.promote(OLD, by="me", even_if_worse=True)
    assert refresh_production(record, for_s=9) == 16
    assert fields(record, 19) == (0.2, OLD, None, False)


def test_a_pass_goes_on_where_it_was_broken_off_and_begins_again_after_another_promotion(
    record: Record,
) -> None:
    filled(record)
    record.models.promote(NEW, by="me", even_if_worse=True)
    assert [refresh_production(record, for_s=0, at_once=6) for _ in range(5)] == [4, 5, 5, 2, 0]
    record.models.promote(OLD, by="me", even_if_worse=True)
    assert refresh_production(record, for_s=0, at_once=6) == 4
    record.models.promote(NEW, by="me", even_if_worse=True)
    assert refresh_production(record, for_s=9, at_once=6) == 4
    assert {fields(record, n)[1] for n in range(N) if n % 5} == {NEW}


def test_of_several_members_all_have_to_have_scored(record: Record) -> None:
    filled(record)
    record.models.promote(NEW, by="me", beside=True)
    assert refresh_production(record, for_s=9) == 16
    assert fields(record, 2) == (0.2, OLD, 0.1, False)
    assert fields(record, 19) == (0.95, NEW, 0.95, True)


def test_fields_that_a_worker_has_written_meanwhile_stay(record: Record) -> None:
    filled(record)
    stale = dict(record.cutouts.get(name(1)) or {})
    record.models.promote(NEW, by="me", even_if_worse=True)
    set_production(record, (NEW, SL), {name(1): {NEW: 0.7, SL: 0.9}})
    late = production_fields(record.models, {name(1): {OLD: 0.2, SL: 0.9}})
    assert record.cutouts.replace_production({name(1): stale}, late) == 0
    assert fields(record, 1)[:2] == (0.7, NEW)


def test_a_job_with_one_of_the_versions_in_production_finds_the_others_on_record(record: Record) -> None:
    filled(record)
    record.models.promote(NEW, by="me", even_if_worse=True)
    refresh_production(record, for_s=9)
    record.outcomes.insert([Outcome(name(0), NEW, 0.6), Outcome("never seen", NEW, 0.6)], provenance={})
    record.cutouts.announce([CutoutRecord("never seen", None)])
    set_production(record, (NEW,), {name(0): {NEW: 0.6}, "never seen": {NEW: 0.6}})
    assert fields(record, 0) == (0.6, NEW, 0.6, True)
    assert "rb" not in (record.cutouts.get("never seen") or {"rb": None})


@pytest.mark.parametrize("versions", [(OLD, SL), (OLD,)])
def test_what_a_worker_writes_late_does_not_put_an_earlier_production_back(
    record: Record, monkeypatch: pytest.MonkeyPatch, versions: tuple[str, ...]
) -> None:
    """A promotion and all of its pass, between what the worker has read and what it writes."""
    filled(record)
    if SL not in versions:
        record.database["models"].update_one({"_id": SL}, {"$set": {"stage": "archived"}})
    write = CutoutRepository.set_production
    promoted: list[int] = []

    def write_late(*given: Any, **options: Any) -> None:
        if not promoted:
            record.models.promote(NEW, by="me", even_if_worse=True)
            promoted.append(refresh_production(record, for_s=9))
        write(*given, **options)

    monkeypatch.setattr(CutoutRepository, "set_production", write_late)
    scores = dict.fromkeys(versions, 0.3)
    set_production(record, versions, {name(n): scores for n in range(N)})
    assert promoted == [16]
    assert fields(record, 3)[:2] == (0.15, NEW)
    assert fields(record, 5)[:2] == (0.3, OLD)  # nothing by the new one
