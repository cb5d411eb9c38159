"""A predecessor's scores on record: legacy versions, which nothing scores by, beside what is ours."""

import io
from typing import Any

import pytest

from core.errors import InvalidRequest
from core.job import Item
from core.legacy import is_legacy
from core.outcome import Outcome
from cutouts.legacy_document import LegacyDocument, read_legacy
from cutouts.nights import Row, read_ades, read_table
from storage.cutouts import CutoutRecord
from storage.exports import asked, cutout_rows
from storage.legacy_scores import Taken, take_legacy
from storage.legacy_versions import legacy_versions
from storage.night_files import sort_files
from storage.night_ledger import read_ledger
from storage.nights import AdesDocument, Joined, NightCutout
from storage.record import Record
from storage.score_changes import cutout_changes
from storage.selection import selected
from tests.legacy_documents import legacy_document
from tests.nights import ADES, NIGHT, metadata, streak, table
from tests.record import register

FAMILIES = {"rb": "rb", "rb_vgg6": "rb", "rb_resnet50": "rb", "sl": "sl", "kd": "kd"}
NETWORK = "abc_VGG6_20181207_151757"
VGG6 = "legacy_rb@3"  # of rb, rb_resnet50, rb_vgg6


def documents(*numbers: int, **changes: Any) -> list[LegacyDocument]:
    found = [read_legacy(_sent(legacy_document(n, **changes)), {}, source="old") for n in numbers]
    return [document for document in found if isinstance(document, LegacyDocument)]


def _sent(document: dict[str, Any]) -> dict[str, Any]:
    return document | {"last_modified": {"$date": document["last_modified"].isoformat()}}


def take(record: Record, *numbers: int, **changes: Any) -> Taken:
    found = documents(*numbers, **changes)
    return take_legacy(record, found, FAMILIES, source="old", networks={"rb_vgg6": NETWORK})


def cutouts(record: Record) -> list[dict[str, Any]]:
    return list(record.database["cutouts"].find().sort("_id", 1))


def outcomes(record: Record) -> list[dict[str, Any]]:
    return list(record.database["outcomes"].find().sort("_id", 1))


def rows(*numbers: int, **changes: str) -> list[Row]:
    text = table([metadata(n, **changes) for n in numbers])
    found = read_table(io.BytesIO(text.encode()), f"ztf_{NIGHT}_streaks.txt", night=NIGHT)
    return [row for row in found if isinstance(row, Row)]


def test_documents_become_cutouts_with_metadata_and_scores_of_archived_versions(record: Record) -> None:
    found = take(record, 0, 1)
    assert (found.cutouts, found.metadata, found.ades, found.scores, found.conflicts) == (2, 2, 2, 10, ())
    first = cutouts(record)[0]
    assert (first["_id"], first["sha256"], first["night"]) == (streak(0), None, NIGHT)
    assert (first["jd"], first["metadata_from"]) == (2458428.59383, "old")
    assert first["midpoint_coordinates"]["radec_deg"] == [first["ra"], first["dec"]]
    assert first["ades"] == read_ades(ADES)
    assert (first["legacy"]["source"], first["legacy"]["plausible"]) == ("old", True)
    assert not {"rb", "sl", "plausible", "versions", "added"} & set(first)
    assert found.versions == {
        "rb": "legacy_rb@1", "rb_resnet50": "legacy_rb@2", "rb_vgg6": VGG6,
        "sl": "legacy_sl@1", "kd": "legacy_kd@1",
    }  # fmt: skip
    scored = {(o["_id"]["cutout"], o["_id"]["version"]): o["score"] for o in outcomes(record)}
    assert scored[streak(1), VGG6] == 0.75
    card, stage = {card.version: (card, stage) for card, stage in record.models.all()}[VGG6]
    assert stage == "archived"
    assert card.training == {"imported_from": {"source": "old", "field": "rb_vgg6", "network": NETWORK}}


def test_a_second_time_changes_nothing(record: Record) -> None:
    take(record, 0, 1)
    before = cutouts(record), outcomes(record), record.models.all()
    again = take(record, 0, 1)
    assert (again.cutouts, again.metadata, again.ades, again.scores, again.conflicts) == (0, 0, 0, 0, ())
    assert (cutouts(record), outcomes(record), record.models.all()) == before


def test_what_contradicts_the_record_is_told_and_changes_nothing(record: Record) -> None:
    take(record, 0)
    before = cutouts(record), outcomes(record)
    other = take(record, 0, jd=2458429.5, ades={"ades": {"@version": "2022"}}, rb_vgg6=0.125)
    assert [fault.name for fault in other.conflicts] == [
        f"{streak(0)} metadata", f"{streak(0)} ades", f"{streak(0)} {VGG6}",
    ]  # fmt: skip
    assert {fault.reason for fault in other.conflicts} == {"conflict"}
    assert "0.125 came, 0.75 is on record" in other.conflicts[2].detail
    assert (cutouts(record), outcomes(record)) == before


def test_another_source_has_versions_of_its_own(record: Record) -> None:
    take(record, 0)
    found = take_legacy(record, documents(0, rb=0.5), FAMILIES, source="older", networks={})
    assert found.versions["rb"] == "legacy_rb@4"
    assert (found.scores, found.conflicts) == (5, ())
    assert legacy_versions(record.database, "old", {"rb": "rb"}, {}) == {"rb": "legacy_rb@1"}


def test_a_legacy_version_is_never_scored_by_promoted_or_overwritten(record: Record) -> None:
    register(record, "rb@7")
    take(record, 0)
    assert record.models.next_version("rb") == "rb@8"
    assert record.models.production() == ["rb@7"]
    with pytest.raises(InvalidRequest, match="archived"):
        record.models.resolve([VGG6])
    for even_if_worse in (False, True):
        with pytest.raises(InvalidRequest, match=f"{VGG6} holds scores that a predecessor gave"):
            record.models.promote(VGG6, by="me", even_if_worse=even_if_worse)
    card = record.models.get(VGG6)
    assert card is not None
    for forbidden in (lambda: record.models.weights(card), lambda: record.models.register(card, b"")):
        with pytest.raises(InvalidRequest, match="expected a version with a network"):
            forbidden()
    assert record.outcomes.insert([Outcome(streak(0), VGG6, 0.0)], provenance={}) == 0


def test_tables_that_come_later_are_joined_where_they_agree_and_told_where_not(record: Record) -> None:
    take(record, 0, 1, prob=...)
    joined = record.nights.join_metadata([*rows(0), *rows(1, jd="2458429.5")])
    assert (joined.joined, joined.unchanged, len(joined.conflicts)) == (1, 0, 1)
    assert "jd is 2458429.5, on record 2458428.59383" in joined.conflicts[0].detail
    first, second = cutouts(record)
    assert (first["metadata_from"], first["prob"]) == (
        f"ztf_{NIGHT}_streaks.txt:3",
        float(metadata(0)["prob"]),
    )
    assert (second["metadata_from"], "prob" in second) == ("old", False)
    assert record.nights.join_metadata(rows(0)) == Joined(unchanged=1)
    assert take(record, 0, prob=...).conflicts == ()
    assert cutouts(record)[0] == first
    ades = AdesDocument(f"{streak(0)}_ades.xml", streak(0), read_ades(ADES))
    assert record.nights.join_ades([ades]) == Joined(unchanged=1)


def test_documents_that_come_after_a_table_leave_it_as_it_is(record: Record) -> None:
    record.nights.join_metadata(rows(0))
    before = cutouts(record)[0]
    found = take(record, 0, prob=...)
    assert (found.cutouts, found.metadata, found.scores, found.conflicts) == (0, 0, 5, ())
    after = cutouts(record)[0]
    assert {key: after[key] for key in before} == before
    assert after["legacy"]["source"] == "old"


def test_without_bytes_a_cutout_is_in_its_night_passed_over_by_rescoring_and_exported(record: Record) -> None:
    register(record, "rb@7")
    take(record, 0, 1)
    ledger = read_ledger(record, NIGHT)
    assert (ledger.summary.ids, ledger.summary.metadata, ledger.missing["cutout"]) == (2, 2, 2)
    assert ledger.scores[VGG6].scored == 2
    assert list(selected(record, "")) == []
    wanted = asked(record, f"{VGG6} >= 0.5 and night = {NIGHT}", [VGG6, "rb@7"])
    found = [row for part in cutout_rows(record, wanted.filter, wanted.thresholds) for row in part]
    assert [(row.result.name, row.result.scores) for row in found] == [
        (streak(n), {VGG6: 0.75}) for n in (0, 1)
    ]


def test_bytes_that_come_later_join_by_id_and_are_rescored(record: Record) -> None:
    register(record, "rb@7")
    take(record, 0, 1)
    file = NightCutout(streak(0), f"{streak(0)}_scimref.jpg", "1" * 64)
    assert sort_files(record, NIGHT, [file]).submit == [file]
    record.cutouts.announce([CutoutRecord(file.id, file.sha256)])
    assert record.cutouts.own([CutoutRecord(file.id, file.sha256)]) == {}
    record.outcomes.insert([Outcome(file.id, "rb@7", 0.5)], provenance={})
    assert list(selected(record, "")) == [Item(streak(0), streak(0), "1" * 64)]
    assert read_ledger(record, NIGHT).missing["cutout"] == 1
    both = cutout_changes(record, "", VGG6, "rb@7")
    assert (both.n, both.without, both.to_0, both.largest) == (1, 1, 0, 0.25)


def test_no_legacy_version_is_taken_for_a_family_s_own(record: Record) -> None:
    take(record, 0)
    assert all(is_legacy(card.version) for card, _ in record.models.all())
    with pytest.raises(InvalidRequest, match="no version of it is in production"):
        asked(record, "rb >= 0.5", [VGG6])
