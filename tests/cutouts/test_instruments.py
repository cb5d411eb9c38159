"""Instruments by name."""

import pytest

from core.errors import InvalidRequest
from cutouts.instruments import ZTF, find_instrument
from cutouts.names import content_id
from tests.instruments import COARSE


def test_an_instrument_is_found_by_its_name() -> None:
    assert find_instrument("ztf", {}) is ZTF
    assert find_instrument("coarse", {"coarse": COARSE}) is COARSE


def test_an_unknown_instrument_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidRequest, match="expected one of coarse, ztf"):
        find_instrument("lsst", {"coarse": COARSE})


def test_the_same_bytes_by_two_instruments_are_two_cutouts() -> None:
    assert content_id("ab") == "ab"
    assert content_id("ab", "coarse") == "coarse:ab"
