"""Rows to be taken out: of jobs and of filters, by exact versions, in bounded memory."""

from collections.abc import Sequence

import pytest

from core.errors import InvalidRequest
from core.job import Item, Job, Rejection, new_job_id
from core.outcome import Outcome
from storage.exports import LOOKED_AT, Row, asked, cutout_page, cutout_rows, job_rows
from storage.record import Record
from tests.record import card, register

RB, SL, NEXT = "rb@1", "sl@1", "rb@2"
THRESHOLDS = {RB: 0.5, SL: 0.5}


def name(n: int) -> str:
    return f"strkid951000000{n:06}0003_pid951000000{n:02}15"


def cutouts(record: Record, count: int) -> list[str]:
    names = [name(n) for n in range(count)]
    documents = [{"_id": n, "sha256": "a" * 64, "night": "20190812"} for n in names]
    record.database["cutouts"].insert_many(documents)
    return names


def score(record: Record, cutout: str, **scores: float) -> None:
    found = [Outcome(cutout, f"{version.replace('_', '@')}", value) for version, value in scores.items()]
    record.outcomes.insert(found, provenance={})


def ids(rows: Sequence[Row]) -> list[str | None]:
    return [row.result.cutout for row in rows]


def rows_of(record: Record, text: str, models: Sequence[str] = ()) -> list[Row]:
    wanted = asked(record, text, models)
    return [row for rows in cutout_rows(record, wanted.filter, wanted.thresholds) for row in rows]


def test_a_job_gives_every_item_once_also_what_is_not_scored_or_rejected(record: Record) -> None:
    register(record, RB, SL)
    first, second, third = cutouts(record, 3)
    job_id = new_job_id()
    why = Rejection("fetch", "gone", "no such file")
    shards = [
        [Item("a.jpg", first, "a" * 64), Item("b.jpg", second, "a" * 64)],
        [Item("c.jpg", rejection=why), Item("d.jpg", third, "a" * 64)],
    ]
    record.shards.insert(job_id, shards, priority="live")
    job = record.jobs.accept(Job(job_id, (RB, SL), "live", "olga", items=4, shards=2))
    score(record, first, rb_1=0.9, sl_1=0.8)
    score(record, second, rb_1=0.2)
    blocks = list(job_rows(record, job, THRESHOLDS))
    assert [len(block) for block in blocks] == [2, 2]
    rows = [row for block in blocks for row in block]
    assert [(row.result.name, row.result.scores, row.result.plausible) for row in rows] == [
        ("a.jpg", {RB: 0.9, SL: 0.8}, True),
        ("b.jpg", {RB: 0.2}, None),
        ("c.jpg", {}, None),
        ("d.jpg", {}, None),
    ]
    assert [row.night for row in rows] == ["20190812", "20190812", None, "20190812"]
    assert rows[2].result.rejection == why


def test_a_filter_is_bound_once_and_a_promotion_changes_nothing_of_it(record: Record) -> None:
    register(record, RB, SL)
    first, second = cutouts(record, 2)
    score(record, first, rb_1=0.9, sl_1=0.9, rb_2=0.1)
    score(record, second, rb_1=0.1, sl_1=0.9, rb_2=0.9)
    record.models.register(card(NEXT, b"next"), b"next")
    wanted = asked(record, "rb > 0.5", ())
    record.models.promote(NEXT, by="olga", even_if_worse=True)
    assert (wanted.filter, list(wanted.thresholds)) == ("rb@1 > 0.5", [RB, SL])
    (row,) = [r for rows in cutout_rows(record, wanted.filter, wanted.thresholds) for r in rows]
    assert (row.result.cutout, row.result.scores) == (first, {RB: 0.9, SL: 0.9})
    (row,) = rows_of(record, "rb > 0.5")
    assert (row.result.cutout, row.result.scores) == (second, {NEXT: 0.9, SL: 0.9})


def test_an_archived_version_may_be_named_and_an_unknown_one_may_not(record: Record) -> None:
    register(record, RB, SL)
    record.models.register(card(NEXT, b"next"), b"next")
    record.models.archive(NEXT, by="olga")
    assert list(asked(record, "", [NEXT, "sl", SL]).thresholds) == [NEXT, SL]
    for wrong in ("rb@7", "kd", "rb@", "$where"):
        with pytest.raises(InvalidRequest, match="registered"):
            asked(record, "", [wrong])
    with pytest.raises(InvalidRequest, match="column"):
        asked(record, "rb >", ())


def test_without_a_filter_every_cutout_is_a_row(record: Record) -> None:
    register(record, RB, SL)
    names = cutouts(record, 3)
    record.database["cutouts"].insert_one({"_id": "b" * 64, "sha256": None, "reference": "s3://x/b.fits"})
    rows = rows_of(record, " ")
    assert ids(rows) == ["b" * 64, *names]
    assert [row.result.name for row in rows] == ["s3://x/b.fits", *names]
    assert (rows[0].night, rows[0].result.pending) == (None, True)


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_of_any_size_give_every_match_once_in_order(record: Record, limit: int) -> None:
    register(record, RB, SL)
    names = cutouts(record, 7)
    for n, cutout in enumerate(names):
        score(record, cutout, rb_1=0.9 if n % 3 else 0.1, sl_1=0.5)
    wanted = asked(record, "rb > 0.5", ())
    found: list[str | None] = []
    after: str | None = None
    for _ in range(8):
        page = cutout_page(record, wanted.filter, wanted.thresholds, after=after, limit=limit)
        assert len(page.rows) <= limit
        found += ids(page.rows)
        after = page.next
        if after is None:
            break
    assert found == [names[n] for n in (1, 2, 4, 5)]


def test_a_page_ends_where_enough_was_looked_at_and_the_next_one_goes_on(record: Record) -> None:
    register(record, RB, SL)
    names = cutouts(record, LOOKED_AT + 500)
    score(record, names[-1], rb_1=0.9, sl_1=0.9)
    wanted = asked(record, "rb > 0.5", ())
    first = cutout_page(record, wanted.filter, wanted.thresholds, after=None, limit=500)
    assert first.rows == []
    assert first.next is not None
    second = cutout_page(record, wanted.filter, wanted.thresholds, after=first.next, limit=500)
    assert (ids(second.rows), second.next) == ([names[-1]], None)
