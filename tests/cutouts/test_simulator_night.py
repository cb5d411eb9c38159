"""A night on disk: names, metadata and truth that agree."""

import csv
import re
from pathlib import Path

import pytest
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from cutouts.simulator import write_night
from cutouts.simulator.__main__ import main
from cutouts.simulator.metadata import COLUMNS
from cutouts.simulator.names import Exposure, day_of, night_of


def test_ids_are_the_predecessors() -> None:
    exposure = Exposure(674, 9383, 4)
    assert exposure.pid == "674093830415"
    assert exposure.document_id(4) == "strkid6740938304150004_pid674093830415"
    assert exposure.jd == pytest.approx(2458428.59383)
    assert night_of(674) == "20181106"
    assert day_of("20181106") == 674


def test_a_night_has_stamps_metadata_and_truth_that_agree(tmp_path: Path) -> None:
    truths = write_night(tmp_path, "sample", count=24, seed=3)
    rows = list(csv.DictReader((tmp_path / "truth.csv").read_text().splitlines()))
    assert [row["id"] for row in rows] == [truth.name for truth in truths]
    assert len({row["id"] for row in rows}) == 24
    for row in rows:
        assert re.fullmatch(r"stamps/stamps_20181106/strkid\d{16}_pid\d{12}_scimref\.jpg", row["file"])
        with Image.open(tmp_path / row["file"]) as image:
            assert isinstance(image, JpegImageFile)
            assert image.mode == "RGB"
            assert max(image.size) == 157
            assert set(image.quantization[0]) == {1}
            assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3
    assert {path.name for path in (tmp_path / "stamps/stamps_20181106").iterdir()} == {
        row["file"].rsplit("/", 1)[1] for row in rows
    }
    lines = (tmp_path / "meta/20181106/ztf_20181106_streaks.txt").read_text().splitlines()
    assert tuple(name.strip() for name in lines[0].split("|")) == COLUMNS
    assert len(lines) == 2 + 24 + 1
    listed = [dict(zip(COLUMNS, (v.strip() for v in line.split("|")), strict=True)) for line in lines[2:-1]]
    assert [f"strkid{r['streakid']}_pid{r['pid']}" for r in listed] == [row["id"] for row in rows]


def test_the_same_seed_writes_the_same_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert main([str(tmp_path / name), "--preset", "rb-2018.9", "--count", "8", "--seed", "11"]) == 0
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert len(files) == 10
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_ids_stay_unique_over_a_whole_night() -> None:
    import numpy as np

    from cutouts.simulator.night import _names

    names = _names(674, np.random.default_rng(0))
    ids = [exposure.document_id(index) for (exposure, index), _ in zip(names, range(30_000), strict=False)]
    assert len(set(ids)) == 30_000


def test_a_wrong_count_is_an_error_and_a_wrong_preset_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path), "--preset", "night", "--count", "0", "--seed", "1"]) == 1
    assert "expected at least 1" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main([str(tmp_path), "--preset", "none", "--seed", "1"])
