"""The ends of files tell which are still being written."""

import pytest

from cutouts.endings import ends_well
from tests.fits_files import fits_file, noise
from tests.images import jpeg, png
from tests.nights import ADES, metadata, table

WHOLE = {
    "a.jpg": jpeg(),
    "a.PNG": png(noise(height=20, width=20).astype("uint8")),
    "a.fits": fits_file(noise(height=20, width=20)),
    "ztf_20181106_streaks.txt": table([metadata(1)]).encode(),
    "a_ades.xml": ADES,
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_file_ends_well_and_a_piece_of_it_does_not(name: str) -> None:
    data = WHOLE[name]
    assert ends_well(name, len(data), data)
    for size in (0, 1, len(data) // 3, len(data) - 12):
        assert not ends_well(name, size, data[:size]), size


def test_a_gzip_may_end_anywhere_but_is_not_empty() -> None:
    assert ends_well("a.tar.gz", 5, b"\x1f\x8b123")
    assert not ends_well("a.tar.gz", 0, b"")
