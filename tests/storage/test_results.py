"""Results: items and outcomes joined, in order, page by page."""

from collections.abc import Sequence

import pytest

from core.errors import InvalidRequest
from core.job import Item, Job, Rejection, new_job_id
from core.outcome import Outcome
from storage.record import Record
from storage.results import Cursor, Result, read_results
from tests.record import register

RB, SL = "rb@1", "sl@1"


def job_of(record: Record, *shards: Sequence[Item], versions: tuple[str, ...] = (RB, SL)) -> Job:
    register(record, *versions)
    job_id = new_job_id()
    record.shards.insert(job_id, shards, priority="live")
    items = sum(map(len, shards))
    return record.jobs.accept(Job(job_id, versions, "live", "olga", items=items, shards=len(shards)))


def items(*names: str) -> list[Item]:
    return [Item(name, cutout=f"cutout-{name}", sha256=name * 64) for name in names]


def score(record: Record, name: str, **scores: float) -> None:
    outcomes = [Outcome(f"cutout-{name}", f"{classifier}@1", value) for classifier, value in scores.items()]
    record.outcomes.insert(outcomes, provenance={})


def all_results(record: Record, job: Job, *, limit: int = 100, pending: bool = False) -> list[Result]:
    results: list[Result] = []
    start: Cursor | None = Cursor()
    while start is not None:
        page = read_results(record, job, start=start, limit=limit, pending=pending)
        assert len(page.results) <= limit
        results += page.results
        start = page.next
    return results


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 100])
def test_pages_of_any_size_give_every_item_once_in_order(record: Record, limit: int) -> None:
    job = job_of(record, items("a", "b", "c"), items("d", "e"), items("f"))
    for name in "abcdef":
        score(record, name, rb=0.9, sl=0.9)
    assert "".join(result.name for result in all_results(record, job, limit=limit)) == "abcdef"


def test_the_decision_needs_every_family_at_its_threshold(record: Record) -> None:
    job = job_of(record, items("a", "b", "c"))
    score(record, "a", rb=0.5, sl=0.5)
    score(record, "b", rb=0.9, sl=0.4999)
    score(record, "c", rb=0.1, sl=0.9)
    assert [result.plausible for result in all_results(record, job)] == [True, False, False]


def test_an_item_is_pending_until_each_version_has_its_outcome(record: Record) -> None:
    job = job_of(record, items("a", "b"))
    score(record, "a", rb=0.9)
    assert all_results(record, job) == []
    half, none = all_results(record, job, pending=True)
    assert (half.pending, half.scores, half.plausible) == (True, {RB: 0.9}, None)
    assert (none.pending, none.scores, none.plausible) == (True, {}, None)
    score(record, "a", sl=0.9)
    assert [result.name for result in all_results(record, job)] == ["a"]


def test_one_cutout_under_two_names_is_two_results(record: Record) -> None:
    twice = [Item(name, cutout="cutout-a", sha256="a" * 64) for name in ("one.jpg", "two.jpg")]
    job = job_of(record, twice)
    score(record, "a", rb=0.9, sl=0.9)
    assert [(r.name, r.scores[RB]) for r in all_results(record, job)] == [("one.jpg", 0.9), ("two.jpg", 0.9)]


def test_an_items_own_rejection_hides_the_scores_of_its_id(record: Record) -> None:
    why = Rejection("submit", "conflict", "other bytes")
    job = job_of(record, [*items("a"), Item("other.jpg", cutout="cutout-a", rejection=why)])
    score(record, "a", rb=0.9, sl=0.9)
    first, second = all_results(record, job)
    assert (first.scores, first.rejection) == ({RB: 0.9, SL: 0.9}, None)
    assert (second.scores, second.rejection, second.pending) == ({}, why, False)


def test_a_cutouts_rejection_is_its_result(record: Record) -> None:
    why = Rejection("decode", "flat", "grey")
    job = job_of(record, items("a"))
    rejected = [Outcome("cutout-a", version, rejection=why) for version in (RB, SL)]
    record.outcomes.insert(rejected, provenance={})
    (result,) = all_results(record, job)
    assert (result.rejection, result.plausible, result.pending) == (why, None, False)


def test_the_best_of_several_versions_stands_for_the_classifier(record: Record) -> None:
    job = job_of(record, items("a"), versions=("rb@1", "rb@2"))
    scored = [Outcome("cutout-a", "rb@1", 0.3), Outcome("cutout-a", "rb@2", 0.8)]
    record.outcomes.insert(scored, provenance={})
    (result,) = all_results(record, job)
    assert result.best("rb") == ("rb@2", 0.8)
    assert result.best("sl") is None
    assert result.plausible is True


@pytest.mark.parametrize("text", ["", "x", "1", "1.x", "-1.0", "1.2.3", "9" * 30 + ".0"])
def test_a_cursor_that_no_page_gave_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="expected the `next`"):
        Cursor.parse(text)


def test_a_cursor_reads_what_it_wrote() -> None:
    assert Cursor.parse(str(Cursor(3, 17))) == Cursor(3, 17)
    assert Cursor.parse(None) == Cursor()
