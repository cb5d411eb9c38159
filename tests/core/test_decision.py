"""Plausible: every family has a member that says so."""

import pytest

from core.decision import classifier_of, is_plausible
from core.errors import InvalidRequest

BOTH = {"rb@1": 0.5, "sl@1": 0.4}


def test_every_family_has_to_pass() -> None:
    assert is_plausible({"rb@1": 0.5, "sl@1": 0.4}, BOTH) is True
    assert is_plausible({"rb@1": 0.49, "sl@1": 0.9}, BOTH) is False
    assert is_plausible({"rb@1": 0.9, "sl@1": 0.39}, BOTH) is False


def test_one_member_of_a_family_is_enough() -> None:
    thresholds = {"rb@1": 0.5, "rb@2": 0.5, "sl@1": 0.5}
    assert is_plausible({"rb@1": 0.1, "rb@2": 0.6, "sl@1": 0.7}, thresholds) is True
    assert is_plausible({"rb@1": 0.1, "rb@2": 0.2, "sl@1": 0.7}, thresholds) is False


def test_a_missing_score_is_neither_yes_nor_no() -> None:
    assert is_plausible({"rb@1": 0.9}, BOTH) is None
    assert is_plausible({}, {}) is None


def test_a_version_names_its_classifier() -> None:
    assert classifier_of("rb@3") == "rb"


@pytest.mark.parametrize("name", ["rb", "rb@", "@1", "rb@0", "rb@x", "RB@1", "rb@1; drop", "../rb@1"])
def test_what_is_not_a_version_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="expected a classifier and a number"):
        classifier_of(name)
