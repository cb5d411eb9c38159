"""Packs on record: written once, found by the range and the night of their cutouts."""

from storage.packs import PackRecord
from storage.record import Record

PREPARED = "deepstreaks-1+00000000"


def ids(night: int, *numbers: int) -> list[str]:
    return [f"strkid{night:03d}00000041500{n:02d}_pid{night:03d}000000415" for n in numbers]


def pack(name: str, count: int, *, preparation: str = PREPARED) -> PackRecord:
    return PackRecord(name * 64, preparation, max_bytes=8, max_pixels=9, pixels_at=4096, count=count)


def test_a_pack_is_recorded_once(record: Record) -> None:
    cutouts = ids(674, 1, 2, 3)
    assert record.packs.insert(pack("a", 3), cutouts)
    assert not record.packs.insert(pack("a", 3), cutouts)
    assert record.packs.near(PREPARED, cutouts, at_most=9) == [pack("a", 3)]
    assert record.packs.cutouts("a" * 64) == cutouts


def test_packs_are_found_by_preparation_night_and_range(record: Record) -> None:
    record.packs.insert(pack("a", 2), ids(674, 1, 4))
    record.packs.insert(pack("b", 2), ids(674, 2, 6))
    record.packs.insert(pack("c", 1), ids(675, 3))
    record.packs.insert(pack("d", 2, preparation="other"), ids(674, 1, 4))
    found = record.packs.near(PREPARED, ids(674, 3, 5), at_most=9)
    assert [found.sha256[0] for found in found] == ["a", "b"]
    assert [found.sha256[0] for found in record.packs.near(PREPARED, ids(674, 3), at_most=1)] == ["a"]
    assert [found.sha256[0] for found in record.packs.prepared_otherwise({PREPARED})] == ["d"]
    assert record.packs.near(PREPARED, ids(674, 7), at_most=9) == []
    assert record.packs.near(PREPARED, [], at_most=9) == []
    held = record.packs.holding(PREPARED, ids(674, 1, 2, 3) + ids(675, 3))
    assert {cutout: pack.sha256[0] for cutout, pack in held.items()} == dict(
        zip(ids(674, 1, 2) + ids(675, 3), "abc", strict=True)
    )


def test_faults_are_counted_until_the_pack_is_whole_again(record: Record) -> None:
    cutouts = ids(674, 1, 2)
    record.packs.insert(pack("a", 2), cutouts)
    record.packs.note_fault("a" * 64, "row 1", images=1)
    record.packs.note_fault("a" * 64, "gone", images=2)
    (found,) = record.packs.near(PREPARED, cutouts, at_most=9)
    assert (found.faults, found.last_fault) == (3, "gone")
    record.packs.clear_faults("a" * 64)
    assert record.packs.near(PREPARED, cutouts, at_most=9) == [pack("a", 2)]
    record.packs.forget("a" * 64)
    assert record.packs.holding(PREPARED, cutouts) == {}
    assert record.packs.cutouts("a" * 64) == []
