"""Nights: metadata joined whichever comes first, files sorted, and the ledger counted from the record."""

import io
from dataclasses import replace
from typing import Any

import pytest

from core.errors import NotFound
from core.filters.bind import bind
from core.filters.grammar import parse
from core.job import Item, Job, Rejection, ShardResult, new_job_id
from core.outcome import Outcome
from cutouts.nights import METADATA, Fault, Row, read_ades, read_table
from storage.cutouts import CutoutRecord
from storage.filter_query import query
from storage.night_files import sort_files
from storage.night_ledger import list_nights, read_ledger, read_missing
from storage.nights import AdesDocument, Joined, NightCutout
from storage.record import Record
from storage.selection import selected
from tests.nights import ADES, NIGHT, metadata, streak, table
from tests.record import register

NAME = f"meta/{NIGHT}/ztf_{NIGHT}_streaks.txt"
ONE, OTHER = "1" * 64, "2" * 64


def rows(*numbers: int, **changes: str) -> list[Row]:
    text = table([metadata(n, **changes) for n in numbers])
    found = list(read_table(io.BytesIO(text.encode()), NAME, night=NIGHT))
    return [row for row in found if isinstance(row, Row)]


def documents(record: Record) -> dict[str, dict[str, Any]]:
    return {document["_id"]: document for document in record.database["cutouts"].find()}


def ades(n: int, data: bytes = ADES) -> AdesDocument:
    return AdesDocument(f"{streak(n)}_ades.xml", streak(n), read_ades(data))


def file(n: int, sha256: str = ONE) -> NightCutout:
    return NightCutout(streak(n), f"{streak(n)}_scimref.jpg", sha256)


def job(record: Record, files: list[NightCutout], rejections: dict[int, Rejection] | None = None) -> str:
    """A job of these files, its only shard closed with these rejections."""
    name, versions = new_job_id(), ("rb@1",)
    items = [Item(f.name, f.id, f.sha256) for f in files]
    record.cutouts.announce([CutoutRecord(f.id, f.sha256) for f in files])
    record.shards.insert(name, [items], priority="live")
    record.jobs.accept(Job(name, versions, "live", "me", items=len(items), shards=1))
    if rejections is not None:
        lease = record.shards.claim(name, 0, worker="test")
        assert lease is not None
        read = [f for i, f in enumerate(files) if i not in rejections]
        record.cutouts.own([CutoutRecord(f.id, f.sha256) for f in read])
        record.outcomes.insert([Outcome(f.id, "rb@1", 0.75) for f in read], provenance={"job": name})
        result = ShardResult(len(read), len(rejections), rejections=rejections)
        assert record.shards.close(lease, result)
        record.jobs.finish(name)
    record.nights.note_cutouts(NIGHT, files, job=name)
    return name


def test_metadata_waits_for_its_cutout_and_a_second_time_changes_nothing(record: Record) -> None:
    assert record.nights.join_metadata(rows(0, 1)) == Joined(joined=2)
    before = documents(record)
    waiting = before[streak(0)]
    assert waiting["sha256"] is None
    assert "added" not in waiting
    assert (waiting["night"], waiting["jd"], waiting["metadata_from"]) == (NIGHT, 2458428.59383, f"{NAME}:3")
    assert waiting["midpoint_coordinates"]["radec_geojson"]["coordinates"] == pytest.approx([-169.999, -5])
    assert record.nights.join_metadata(rows(0, 1)) == Joined(unchanged=2)
    assert documents(record) == before
    assert list(selected(record, "")) == []


def test_a_cutout_that_comes_after_its_metadata_is_announced_and_owned(record: Record) -> None:
    record.nights.join_metadata(rows(0, 1))
    record.cutouts.announce([CutoutRecord(streak(0), ONE), CutoutRecord(streak(1), None, "https://x/a.jpg")])
    found = documents(record)
    assert {"added", "jd"} <= set(found[streak(0)])
    assert found[streak(1)]["reference"] == "https://x/a.jpg"
    added = found[streak(0)]["added"]
    record.cutouts.announce([CutoutRecord(streak(0), ONE)])
    assert documents(record)[streak(0)]["added"] == added
    assert record.cutouts.own([CutoutRecord(streak(0), ONE)]) == {}
    assert [(i.name, i.reference) for i in selected(record, "")] == [
        (streak(0), None),
        (streak(1), "https://x/a.jpg"),
    ]


def test_metadata_that_comes_later_is_joined_and_the_filter_finds_it(record: Record) -> None:
    record.cutouts.announce([CutoutRecord(streak(0), ONE)])
    record.cutouts.own([CutoutRecord(streak(0), ONE)])
    assert record.nights.join_metadata(rows(0)) == Joined(joined=1)
    document = documents(record)[streak(0)]
    assert (document["sha256"], document["pid"]) == (ONE, metadata(0)["pid"])
    bound = bind(parse("cone(10.001, -5, 5) and fid = 2 and jd > 2458428.5 and length > 1"), {})
    assert [d["_id"] for d in record.database["cutouts"].find(query(bound))] == [streak(0)]
    assert bound.matches(document, {})


def test_a_row_that_differs_is_a_conflict_that_is_told_and_changes_nothing(record: Record) -> None:
    record.nights.join_metadata(rows(0))
    before = documents(record)
    joined = record.nights.join_metadata([*rows(0, length="99.5"), *rows(0), *rows(0, bg=""), *rows(1, 1)])
    assert (joined.joined, joined.unchanged) == (1, 2)
    assert [fault.line for fault in joined.conflicts] == [3, 3]
    assert "length is 99.5, on record" in joined.conflicts[0].detail
    assert "bg is None" in joined.conflicts[1].detail
    assert documents(record)[streak(0)] == before[streak(0)]


def test_of_two_rows_of_one_streak_in_one_table_the_first_stays(record: Record) -> None:
    joined = record.nights.join_metadata([*rows(0), *rows(0, length="99.5")])
    assert (joined.joined, len(joined.conflicts)) == (1, 1)
    assert documents(record)[streak(0)]["length"] != 99.5


def test_ades_is_joined_whichever_comes_first(record: Record) -> None:
    record.cutouts.announce([CutoutRecord(streak(0), ONE)])
    assert record.nights.join_ades([ades(0), ades(1)]) == Joined(joined=2)
    assert record.nights.join_metadata(rows(0, 1)) == Joined(joined=2)
    assert record.nights.join_ades([ades(0), ades(1)]) == Joined(unchanged=2)
    changed = record.nights.join_ades([ades(0, ADES.replace(b"I41", b"568"))])
    assert [(f.name, f.line, f.reason) for f in changed.conflicts] == [(ades(0).name, None, "conflict")]
    assert documents(record)[streak(1)]["ades"]["obsBlock"]["obsContext"]["comment"] is None
    assert set(METADATA) & set(documents(record)[streak(1)]) >= {"jd", "ra"}


def test_faults_are_noted_once_and_forgotten_when_the_file_comes_with_other_contents(record: Record) -> None:
    faults = [Fault(NAME, line, "malformed", "jd is 'x'") for line in (3, 4)]
    nights = record.nights
    assert nights.note_faults(NIGHT, faults, sha256=ONE) == 2
    nights.forget_faults(NIGHT, {NAME: ONE})
    assert nights.note_faults(NIGHT, faults, sha256=ONE) == 0
    assert nights.faults(NIGHT, limit=1) == (2, faults[:1])
    nights.forget_faults(NIGHT, {NAME: OTHER})
    assert nights.faults(NIGHT, limit=1) == (0, [])
    assert (nights.note_table(NIGHT, NAME, ONE), nights.note_table(NIGHT, NAME, ONE)) == (True, False)


FLAT = Rejection("decode", "flat", "grey 128")


def test_files_are_sorted_by_what_is_left_to_do(record: Record) -> None:
    register(record, "rb@1")
    job(record, [file(0), file(1), file(2)], {1: FLAT})
    waiting = job(record, [file(3)])
    dropped = job(record, [file(4)])
    record.jobs.cancel(dropped)
    record.cutouts.own([CutoutRecord(streak(5), ONE), CutoutRecord(streak(6), ONE)])
    record.outcomes.insert([Outcome(streak(5), "rb@1", 0.5)], provenance={})
    changed = replace(file(1), sha256=OTHER)
    in_conflict = replace(file(0), sha256=OTHER)
    found = sort_files(
        record,
        NIGHT,
        [*(file(n) for n in range(8)), changed, in_conflict, file(7)],
    )
    assert found.unchanged == 4  # scored, rejected, scored, waiting
    assert found.submit == [file(4), file(6), file(7), changed]
    assert found.known == [file(5)]
    assert found.conflicts == [(in_conflict, ONE)]
    assert found.earlier == {dropped}
    assert waiting != dropped


def test_the_ledger_counts_from_the_record_and_names_what_is_missing(record: Record) -> None:
    register(record, "rb@1")
    with pytest.raises(NotFound, match=NIGHT):
        read_ledger(record, NIGHT)
    record.nights.begin(NIGHT)
    record.nights.note_table(NIGHT, NAME, ONE)
    record.nights.join_metadata(rows(0, 1, 2, 9))
    record.nights.join_ades([ades(0)])
    record.nights.note_faults(NIGHT, [Fault(NAME, 7, "malformed", "jd is 'x'")])
    job(record, [file(0), file(1), file(2), file(3)], {1: FLAT, 2: FLAT})
    better = replace(file(2), sha256=OTHER)
    job(record, [better, replace(file(0), sha256=OTHER)], {1: Rejection("read", "conflict", "other bytes")})
    job(record, [file(4)])
    record.jobs.cancel(job(record, [file(5)]))
    record.outcomes.insert(
        [Outcome(streak(3), "sl@1", rejection=Rejection("score", "not_finite", "nan"))], provenance={}
    )
    record.database["cutouts"].update_one({"_id": streak(0)}, {"$set": {"plausible": True, "versions": {}}})

    ledger = read_ledger(record, NIGHT)
    summary = ledger.summary
    assert (summary.ids, summary.metadata, summary.ades, summary.cutouts) == (7, 4, 1, 6)
    assert (summary.candidates, summary.scored, summary.faults) == (1, 1, 1)
    assert ledger.tables == [NAME]
    assert ledger.files == {
        "joined": 3, "waiting": 1, "rejected": 1, "replaced": 1, "conflict": 1, "dropped": 1,
    }  # fmt: skip
    assert {v: (n.scored, n.rejected) for v, n in ledger.scores.items()} == {"rb@1": (3, 0), "sl@1": (0, 1)}
    assert [(r.id, r.reason) for r in ledger.rejections.named] == [
        (streak(1), "flat"),
        (streak(3), "not_finite"),
    ]
    assert [(r.id, r.sha256) for r in ledger.conflicts.named] == [(streak(0), OTHER)]
    assert ledger.faults.named[0].line == 7
    assert ledger.missing == {"cutout": 1, "metadata": 3, "ades": 6}
    assert list_nights(record, limit=5) == [summary]
    assert list_nights(record, limit=5, before=NIGHT) == []

    first = read_missing(record, NIGHT, lacking=["cutout", "metadata"], after=None, limit=3)
    rest = read_missing(record, NIGHT, lacking=["cutout", "metadata"], after=first[-1].id, limit=3)
    assert [(m.id, m.lacks) for m in first + rest] == [
        *((streak(n), ["metadata"]) for n in (3, 4, 5)),
        (streak(9), ["cutout"]),
    ]
    assert len(read_missing(record, NIGHT, lacking=["ades"], after=None, limit=10)) == 6
