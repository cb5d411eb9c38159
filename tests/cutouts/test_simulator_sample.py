"""The sample night is what its command writes."""

import csv
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image

from cutouts.simulator import BOGUS_KINDS, STREAK_KINDS, Kind, draw, write_night

NIGHT = Path(__file__).parents[2] / "sample" / "night"


def rows() -> list[dict[str, str]]:
    return list(csv.DictReader((NIGHT / "truth.csv").read_text("utf-8").splitlines()))


def test_the_sample_night_is_what_its_command_writes(tmp_path: Path) -> None:
    write_night(tmp_path, "sample", count=224, seed=2018)
    for told in ("truth.csv", "meta/20181106/ztf_20181106_streaks.txt"):
        assert (tmp_path / told).read_text("utf-8") == (NIGHT / told).read_text("utf-8")
    assert {p.relative_to(tmp_path) for p in tmp_path.rglob("*.jpg")} == {
        p.relative_to(NIGHT) for p in NIGHT.rglob("*.jpg")
    }


def test_the_sample_night_is_small_and_holds_every_kind() -> None:
    assert sum(p.stat().st_size for p in NIGHT.rglob("*") if p.is_file()) < 5_000_000
    assert {row["kind"] for row in rows()} == {*STREAK_KINDS, *BOGUS_KINDS}
    assert sum(row["rb"] == "1" for row in rows()) == 112


def test_a_sample_file_shows_what_its_seed_draws() -> None:
    """To within the rounding of JPEG at quality 100."""
    for row in rows()[::25]:
        drawn = draw(cast(Kind, row["kind"]), int(row["seed"])).image.astype(int)
        with Image.open(NIGHT / row["file"]) as file:
            stored = np.asarray(file, int)
        assert stored.shape == drawn.shape
        assert np.abs(stored - drawn).max() <= 6


def test_some_sample_cutouts_are_truncated() -> None:
    sizes = []
    for row in rows():
        with Image.open(NIGHT / row["file"]) as file:
            sizes.append(file.size)
    assert 2 <= sum(size != (157, 157) for size in sizes) <= 25
