"""Pages of cutouts to look at: their order, their places, what is counted, and that indexes serve them."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.errors import ExecutionTimeout

from core.errors import InvalidRequest
from core.job import Rejection
from core.outcome import Outcome
from storage.database import Document
from storage.grid import (
    ANY,
    ORDERS,
    Counted,
    Order,
    Sought,
    count,
    is_anything_scored,
    nights_of,
    ranking,
    read_page,
    rejection_reasons,
)
from storage.ranking import NIGHTS_AT_ONCE
from storage.record import Record
from storage.selection import bound_text
from tests.record import register

RB, SL, OLD = "rb@2", "sl@2", "rb@1"
START = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def scored(record: Record) -> Record:
    """60 cutouts of three nights, every third scored the same, every seventh rejected."""
    register(record, OLD, RB, SL)
    cutouts = record.database["cutouts"]
    outcomes: list[Outcome] = []
    for n in range(60):
        name, rb, sl = f"c{n:03}", round((n - n % 3) / 60, 3), round((60 - n) / 60, 3)
        document: Document = {
            "_id": name,
            "sha256": f"{n:064x}",
            "night": f"2018110{n % 3}",
            "added": START + timedelta(seconds=n),
            "ra": 6.0 * n,
            "dec": 0.0,
        }
        if n % 7:
            document |= {
                "rb": rb,
                "sl": sl,
                "plausible": rb >= 0.5 and sl >= 0.5,
                "versions": {"rb": RB, "sl": SL},
                "scores": {RB: rb, SL: sl},
            }
            outcomes += [Outcome(name, RB, rb), Outcome(name, SL, sl), Outcome(name, OLD, 1 - rb)]
        else:
            outcomes.append(Outcome(name, RB, None, Rejection("decode", "flat" if n % 2 else "empty", "it")))
        cutouts.insert_one(document)
    record.outcomes.insert(outcomes, provenance={})
    return record


def walk(record: Record, sought: Sought, *, limit: int = 7) -> list[Document]:
    """All pages, one after the other."""
    found: list[Document] = []
    after: str | None = None
    while True:
        page = read_page(record, sought, after=after, limit=limit)
        assert len(page.cutouts) <= limit
        found += [shown.document for shown in page.cutouts]
        if page.next is None:
            return found
        after = page.next


@pytest.mark.parametrize("order", ORDERS)
def test_pages_together_are_everything_once_in_order(scored: Record, order: Order) -> None:
    ranked = [(document["rb"], document["_id"]) for document in walk(scored, Sought(order=order))]
    assert ranked == sorted(ranked, reverse=order == "high")
    assert len(set(ranked)) == len(ranked) == 51
    found = walk(scored, Sought(order=order, version=SL), limit=4)
    scores = [document["sl"] for document in found]
    assert scores == sorted(scores, reverse=order == "high")
    assert len({document["_id"] for document in found}) == len(found) == 51


def test_cutouts_of_one_score_are_each_on_one_page(scored: Record) -> None:
    found = walk(scored, Sought(version=RB), limit=2)
    assert len({document["_id"] for document in found}) == len(found) == 51


CONTROLS: list[tuple[Document, Callable[[Document], bool]]] = [
    ({"night": "20181101"}, lambda d: d["night"] == "20181101"),
    ({"plausible": True}, lambda d: bool(d.get("plausible"))),
    ({"rb": {"$gte": 0.2, "$lte": 0.6}}, lambda d: 0.2 <= d.get("rb", -1) <= 0.6),
]


def test_as_many_nights_as_are_read_at_once_are_not_sorted(scored: Record) -> None:
    nights = ["20181101", *(f"2019{n:04}" for n in range(NIGHTS_AT_ONCE - 2)), None]
    for sought in (Sought(), Sought({"plausible": True}), Sought({"plausible": False}), Sought(version=RB)):
        asked = ranking(sought, None)
        look = scored.database[asked.collection].find(asked.of(nights), hint=asked.index).sort(asked.order)
        plan = str(look.limit(5).explain()["queryPlanner"]["winningPlan"])
        assert "SORT_MERGE" in plan, plan
        assert "'SORT'" not in plan, plan


@pytest.mark.parametrize("order", ORDERS)
def test_many_nights_are_merged_some_at_a_time(
    scored: Record, monkeypatch: pytest.MonkeyPatch, order: Order
) -> None:
    together = walk(scored, Sought(order=order), limit=4)
    monkeypatch.setattr("storage.ranking.NIGHTS_AT_ONCE", 1)
    assert walk(scored, Sought(order=order), limit=4) == together
    assert scored.outcomes.scores(SL, limit=5) == scored.outcomes.scores(SL, limit=51)[:5]


def test_the_nights_of_a_version_are_read_from_an_index(scored: Record) -> None:
    streaks = [f"strkid{days}0000000150000_pid{days}000000015" for days in (680, 681)]
    scored.outcomes.insert([Outcome(name, OLD, 0.5) for name in streaks], provenance={})
    assert scored.outcomes.nights(OLD) == ["20181113", "20181112", None]
    assert len(walk(scored, Sought(version=OLD), limit=4)) == 51 + 2
    plan = scored.database.command(
        "explain", {"distinct": "outcomes", "key": "night", "query": {"_id.version": OLD}}
    )
    assert "DISTINCT_SCAN" in str(plan["queryPlanner"]["winningPlan"])


@pytest.mark.parametrize(("exact", "is_meant"), CONTROLS)
def test_controls_and_a_filter_in_words_hold_both(
    scored: Record, exact: Document, is_meant: Callable[[Document], bool]
) -> None:
    everything = list(scored.database["cutouts"].find())
    wanted = {d["_id"] for d in everything if is_meant(d) and "rb" in d}
    assert {d["_id"] for d in walk(scored, Sought(exact))} == wanted
    text = bound_text(scored, "sl >= 0.3 and cone(30, 0, 360000)")
    wanted = {d["_id"] for d in everything if d["_id"] in wanted and d["sl"] >= 0.3 and d["ra"] <= 130}
    assert {d["_id"] for d in walk(scored, Sought(exact, text))} == wanted
    assert count(scored, Sought(exact, text)).number == len(wanted)


def test_a_versions_own_scores_and_rejections_are_found_and_ordered(scored: Record) -> None:
    page = read_page(scored, Sought(version=OLD, low=0.5), after=None, limit=100)
    scores = [shown.outcome["score"] for shown in page.cutouts if shown.outcome is not None]
    assert scores == sorted(scores, reverse=True)
    assert (len(scores), min(scores) >= 0.5) == (28, True)
    assert len(walk(scored, Sought(version=OLD, low=0.5))) == 28
    assert [d["_id"] for d in walk(scored, Sought(version=RB, rejection="flat"), limit=2)] == [
        f"c{n:03}" for n in range(7, 60, 14)
    ]
    assert len(walk(scored, Sought({"night": "20181100"}, version=RB, rejection=ANY))) == 3


def test_what_could_not_be_read_is_shown_by_its_outcome_alone(scored: Record) -> None:
    unread = [Outcome(f"{n:064x}", RB, None, Rejection("decode", "truncated", "it")) for n in range(3)]
    scored.outcomes.insert(unread, provenance={})
    sought = Sought(version=RB, rejection="truncated")
    assert walk(scored, sought, limit=2) == [{"_id": outcome.cutout} for outcome in unread]
    assert count(scored, sought).number == 3
    assert walk(scored, Sought({"night": "20181100"}, version=RB, rejection="truncated")) == []
    assert walk(scored, Sought(version=RB, rejection="truncated", text=bound_text(scored, "ra > 0"))) == []
    assert rejection_reasons(scored) == ["empty", "flat", "truncated"]
    plan = scored.database.command(
        "explain",
        {"distinct": "outcomes", "key": "rejection.reason", "query": {"rejection.reason": {"$gt": ""}}},
    )
    assert "DISTINCT_SCAN" in str(plan["queryPlanner"]["winningPlan"])


def test_whether_anything_is_scored_is_told_by_outcomes(record: Record) -> None:
    assert not is_anything_scored(record)
    record.outcomes.insert([Outcome("c", "legacy_rb@1", 0.5)], provenance={})
    assert is_anything_scored(record)


def test_counting_counts_what_pages_show_and_says_when_it_stopped(
    scored: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    for sought in (
        Sought({"plausible": True}),
        Sought(version=OLD),
        Sought({"night": "20181100"}, version=OLD),
        Sought(version=RB, rejection=ANY),
    ):
        counted = count(scored, sought)
        assert (counted.number, counted.at_least) == (len(walk(scored, sought)), False)
    assert count(scored, Sought()).number == 51
    monkeypatch.setattr("storage.grid.MOST_COUNTED", 10)
    assert count(scored, Sought()).at_least
    monkeypatch.setattr("storage.grid.LOOKED_AT", 5)
    text = bound_text(scored, "ra > 100")
    assert count(scored, Sought(text=text)).at_least
    assert len(walk(scored, Sought(text=text))) == len([n for n in range(17, 60) if n % 7])


def test_what_takes_too_long_to_count_is_many(scored: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: object, **__: object) -> None:
        raise ExecutionTimeout("operation exceeded time limit", 50)

    monkeypatch.setattr("pymongo.synchronous.collection.Collection.count_documents", late)
    assert count(scored, Sought()) == Counted(None, at_least=True)


UNBOUNDED = [
    base64.urlsafe_b64encode(place.encode()).decode()
    for place in (f'[1{"0" * 200}, "a"]', '[NaN, "a"]', '[Infinity, "a"]', '[0.5, "\\ud800"]')
]


@pytest.mark.parametrize(
    "place",
    ["", "x", "WzAuNSwgM10", "W10", "bnVsbA", "WzEsIHsiJGd0IjogMX1d", "W3siJGd0IjoxfSwgImEiXQ", *UNBOUNDED],
)
def test_a_place_that_no_page_told_is_refused(scored: Record, place: str) -> None:
    with pytest.raises(InvalidRequest, match="place"):
        read_page(scored, Sought(), after=place, limit=5)


SHOWN: list[Document] = [
    {},
    {"rb": {"$gte": 0.3, "$lte": 0.9}},
    {"night": "20181101"},
    {"night": "20181101", "rb": {"$gte": 0.3, "$lte": 0.9}},
]


@pytest.mark.parametrize("place", [None, (0.55, "c030")])
@pytest.mark.parametrize("exact", SHOWN)
def test_a_page_by_score_reads_an_index_in_its_order(scored: Record, exact: Document, place: Any) -> None:
    read = explained(scored, Sought(exact), place, limit=5)
    assert read <= 6 + 3  # cutouts of the same score as the place are passed over by their keys


def test_a_page_by_another_order_or_by_outcomes_reads_an_index_in_its_order(scored: Record) -> None:
    for order in ORDERS:
        for exact in ({}, {"plausible": True}, {"plausible": False}):
            assert explained(scored, Sought(exact, order=order), None, limit=5) <= 6, exact
    for sought in (
        Sought(version=OLD),
        Sought(version=RB, rejection=ANY),
        Sought(version=RB, rejection="flat"),
    ):
        assert explained(scored, sought, None, limit=5) <= 6


def explained(record: Record, sought: Sought, place: Any, *, limit: int) -> int:
    """How many documents are read for a page; fails where they are sorted or all looked at."""
    asked = ranking(sought, place)
    query = asked.of(nights_of(record, sought))
    looked = record.database[asked.collection].find(query, hint=asked.index)
    found = looked.sort(asked.order).limit(limit).explain()
    plan = str(found["queryPlanner"]["winningPlan"])
    assert "'SORT'" not in plan, plan
    assert "COLLSCAN" not in plan, plan
    return int(found["executionStats"]["totalDocsExamined"])
