"""Packs: what is packed comes back bit by bit, or is known to be damaged."""

import numpy as np
import pytest

from core.errors import Damaged
from core.outcome import Departure
from cutouts.calibration import EXPECTED
from cutouts.packs import (
    IMAGE_BYTES,
    PackedCutout,
    PackIndex,
    preparation,
    read_index,
    read_rows,
    write_pack,
)
from cutouts.recipes import Pixels

PREPARED = preparation("deepstreaks-1")
ODD = (Departure("sky_grey", 130.0, EXPECTED["sky_grey"]), Departure("polarity", -1.0, EXPECTED["polarity"]))


def cutouts(count: int = 5) -> list[PackedCutout]:
    noise = np.random.default_rng(3).integers(0, 256, (count, 144, 144, 1), np.uint8)
    return [
        PackedCutout(f"strkid{n:016d}_pid{n:012d}", f"{n:064x}", noise[n], ODD if n == 2 else ())
        for n in range(count)
    ]


def damaged(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def rows(index: PackIndex, data: bytes, first: int, last: int) -> tuple[Pixels, list[int]]:
    start, end = index.span(first, last)
    return read_rows(index, data[start:end], first)


def test_what_is_packed_comes_back_bit_by_bit_whole_or_in_part() -> None:
    packed = cutouts()
    data = write_pack(PREPARED, packed)
    index = read_index(data)
    assert (index.preparation, index.pixels_at % 4096) == (PREPARED, 0)
    assert index.cutouts == tuple(cutout.cutout for cutout in packed)
    assert index.sha256s == tuple(cutout.sha256 for cutout in packed)
    assert index.departures == {2: ODD}
    assert index.rows[packed[3].cutout] == 3
    for first, last in ((0, 4), (3, 3), (1, 3)):
        pixels, bad = rows(index, data, first, last)
        assert bad == []
        assert np.array_equal(pixels, np.stack([cutout.pixels for cutout in packed[first : last + 1]]))
        assert pixels.base is not None  # a view and no copy


def test_the_index_is_read_from_the_bytes_before_the_pixels_alone() -> None:
    data = write_pack(PREPARED, cutouts())
    index = read_index(data)
    assert read_index(data[: index.pixels_at]) == index


def test_the_same_cutouts_are_the_same_bytes() -> None:
    assert write_pack(PREPARED, cutouts()) == write_pack(PREPARED, cutouts())


def test_a_flipped_bit_is_of_one_cutout_alone() -> None:
    data = write_pack(PREPARED, cutouts())
    index = read_index(data)
    data = damaged(data, index.span(3, 3)[0] + 77)
    pixels, bad = rows(index, data, 1, 4)
    assert (len(pixels), bad) == (4, [3])


def test_of_a_pack_that_was_cut_the_whole_cutouts_are_read() -> None:
    data = write_pack(PREPARED, cutouts())
    index = read_index(data)
    pixels, bad = rows(index, data[: index.span(2, 2)[1] + IMAGE_BYTES // 2], 0, 4)
    assert (len(pixels), bad) == (3, [])


@pytest.mark.parametrize("at", [0, 9, 13, 16, 200])
def test_an_index_that_is_not_what_was_written_is_told(at: int) -> None:
    with pytest.raises(Damaged, match="pack"):
        read_index(damaged(write_pack(PREPARED, cutouts()), at))


@pytest.mark.parametrize("length", [0, 15, 16, 300])
def test_an_index_that_was_cut_is_told(length: int) -> None:
    with pytest.raises(Damaged, match="pack"):
        read_index(write_pack(PREPARED, cutouts())[:length])


def test_packs_are_of_another_preparation_once_departures_are_found_by_other_limits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(EXPECTED, "sky_grey", (1.0, 2.0))
    assert preparation("deepstreaks-1") != PREPARED
    assert preparation("deepstreaks-1").startswith("deepstreaks-1+")
