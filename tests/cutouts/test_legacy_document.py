"""The predecessor's documents: read as a table and an ADES file would be, or named with what is wrong."""

import io
import json
from typing import Any

import pytest
from bson import json_util

from core.errors import InvalidRequest
from cutouts.legacy_document import LegacyDocument, check_told, read_legacy
from cutouts.nights import Fault, read_ades, read_table
from cutouts.nights.metadata import Row
from tests.legacy_documents import ADES_TREE, SCORED, legacy_document
from tests.nights import ADES, NIGHT, metadata, streak, table


def sent(document: dict[str, Any]) -> dict[str, Any]:
    """A document as it arrives."""
    text = json_util.dumps(document, json_options=json_util.RELAXED_JSON_OPTIONS)
    return dict(json.loads(text))


def read(document: dict[str, Any], **families: str) -> LegacyDocument | Fault:
    return read_legacy(sent(document), families, source="old")


def good(document: dict[str, Any], **families: str) -> LegacyDocument:
    found = read(document, **families)
    assert isinstance(found, LegacyDocument)
    return found


def faults(document: dict[str, Any]) -> dict[str, str]:
    return {fault.name: f"{fault.reason}: {fault.detail}" for fault in good(document).faults}


def test_a_document_reads_as_the_line_and_the_file_of_its_night_do() -> None:
    (row,) = read_table(io.BytesIO(table([metadata(3)]).encode()), "t", night=NIGHT)
    assert isinstance(row, Row)
    found = good(legacy_document(3))
    assert found.metadata is not None
    assert found.metadata.values == row.values
    assert found.ades == read_ades(ADES)
    assert found.scores == {"rb": 0.75, "rb_vgg6": 0.75, "rb_resnet50": 0.5, "sl": 0.25, "kd": 1.0}
    assert (found.id, found.plausible, found.last_modified) == (streak(3), True, SCORED)
    assert (found.faults, found.left_out) == ((), ())


def test_ades_may_be_a_text_or_a_tree_without_its_root() -> None:
    for form in (ADES.decode(), ADES_TREE):
        assert good(legacy_document(0, ades=form)).ades == read_ades(ADES)
    assert good(legacy_document(0, ades=...)).ades is None


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (legacy_document(0, _id=...), "no_id"),
        (legacy_document(0, _id=None), "not_a_streak_id"),
        (legacy_document(0, _id=5), "not_a_streak_id"),
        (legacy_document(0, _id="strkid1_pid2"), "not_a_streak_id"),
        (legacy_document(0, _id=f"../{streak(0)}"), "not_a_streak_id"),
        (legacy_document(0, _id=f"{streak(0)}\n"), "not_a_streak_id"),
    ],
)
def test_without_a_streak_id_nothing_of_a_document_is_taken(document: dict[str, Any], reason: str) -> None:
    found = read(document)
    assert isinstance(found, Fault)
    assert found.reason == reason
    assert found.name.isprintable()


@pytest.mark.parametrize("value", [None, "0.5", True, 1.5, -0.1, float("nan"), float("inf"), [0.5], {"a": 1}])
def test_a_score_that_is_no_number_from_0_to_1_is_named_and_the_others_are_taken(value: object) -> None:
    document = legacy_document(0, rb_vgg6=value)
    (name, told), *more = faults(document).items()
    assert (name, more) == (f"{streak(0)} rb_vgg6", [])
    assert told.startswith("not_a_score: rb_vgg6 is ")
    assert sorted(good(document).scores) == ["kd", "rb", "rb_resnet50", "sl"]
    assert good(document).metadata is not None


def test_metadata_and_ades_that_can_t_be_read_are_named_and_the_scores_are_taken() -> None:
    document = legacy_document(0, jd="yesterday", ades={"a.b": {"$where": "1"}})
    told = faults(document)
    assert told[f"{streak(0)} metadata"] == "malformed: jd is 'yesterday'; expected a finite number"
    assert "expected names as in ADES" in told[f"{streak(0)} ades"]
    assert len(good(document).scores) == 5


def test_ids_that_a_double_could_not_hold_are_those_of_the_id() -> None:
    whole = legacy_document(0)
    rounded = legacy_document(0, streakid=float(whole["streakid"]), pid=str(whole["pid"]))
    assert good(rounded).metadata == good(whole).metadata
    assert (
        f"streakid is {whole['streakid'] + 1}"
        in faults(legacy_document(0, streakid=whole["streakid"] + 1))[f"{streak(0)} metadata"]
    )


def test_a_document_of_scores_alone_has_no_metadata_and_one_without_ends_its_own_position() -> None:
    assert good({"_id": streak(0), "rb": 0.5}).metadata is None
    bare = {"_id": streak(0), "rb": 0.5, "midpoint_coordinates": {"radec_deg": [10.5, -5]}}
    found = good(bare).metadata
    assert found is not None
    assert (found.values["ra"], found.values["dec"]) == (10.5, -5)
    assert (
        "radec_deg" in faults(bare | {"midpoint_coordinates": {"radec_deg": [10.5]}})[f"{streak(0)} metadata"]
    )


def test_what_means_nothing_here_is_named() -> None:
    assert sorted(good(legacy_document(0, scores={"rb": []}, seeing=2)).left_out) == ["scores", "seeing"]


def test_a_field_named_as_a_network_has_to_be_told_its_family() -> None:
    network = "deepstreaks_VGG6_20190101_010101"
    document = legacy_document(0, **{network: 0.5})
    with pytest.raises(InvalidRequest, match=f"{network}.*expected to be told its family"):
        read(document)
    assert good(document, **{network: "rb"}).scores[network] == 0.5
    left = good(document, **{network: "-"})
    assert (network in left.scores, left.left_out) == (False, (network,))


@pytest.mark.parametrize(
    "told", [{"rb x": "rb"}, {"jd": "rb"}, {"a": "RB"}, {"a": ""}, {"a": "x" * 30}, {"$a": "rb"}]
)
def test_families_that_can_t_be_meant_are_refused(told: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest, match="expected"):
        check_told(told)
