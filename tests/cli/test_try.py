"""`./streaks try`: what networks see of a file, without a service and with nothing put on record."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cli.__main__ import main
from cli.half_blocks import half_blocks
from cutouts.decode import decode
from cutouts.simulator import draw
from tests.fits_files import fits_file, noise, streak

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DA_CALLER_CWD", str(tmp_path))
    monkeypatch.setenv("DA_STATE_DIR", str(tmp_path / "state"))
    Image.fromarray(draw("short", 12).image).save(tmp_path / "short.png")
    Image.fromarray(255 - draw("short", 12).image).save(tmp_path / "inverted.png")
    return tmp_path


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return dict(json.loads(capsys.readouterr().out))


def test_a_simulated_streak_is_real_and_like_and_its_picture_is_what_networks_get(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["try", "short.png", "--models", "rb@3", "--png", "seen.png", "--json"]) == 0
    found = told(capsys)
    assert found["scores"]["rb@3"]["says"] == "real"
    assert found["scores"]["rb@3"]["score"] > 0.9
    assert (found["likeness"]["unlike"], found["uncalibrated"]) == (False, [])
    seen = np.asarray(Image.open(folder / "seen.png"))
    assert (seen == decode((folder / "short.png").read_bytes())[..., 0]).all()


def test_an_inverted_picture_is_said_to_be_unlike(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["try", "inverted.png", "--no-scores"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("UNLIKE the training")
    assert "uncalibrated: sky_grey" in said
    assert ", expected 192 to 217" in said


def test_a_fits_file_is_shown_by_its_instrument(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "x.fits").write_bytes(fits_file(streak(noise(), peak=200.0)))
    assert main(["try", "x.fits", "--no-scores", "--json"]) == 0
    assert told(capsys)["likeness"]["unlike"] is False
    assert main(["try", "x.fits", "--no-scores", "--json", "--instrument", "lsst"]) == 1
    assert "no instrument 'lsst'" in told(capsys)["error"]


def test_what_can_not_be_seen_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "text.jpg").write_text("not an image")
    assert main(["try", "text.jpg", "--json"]) == 3
    assert told(capsys)["rejection"]["reason"] == "not_an_image"
    assert main(["try", "none.jpg", "--json"]) == 1
    assert "no such file; expected a cutout" in told(capsys)["error"]
    assert main(["try", "short.png", "--models", "rb@99", "--json"]) == 1
    assert "no model 'rb@99'; expected" in told(capsys)["error"]


def test_a_terminal_shows_the_picture(folder: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "cli", "try", "short.png", "--no-scores"]
    process = subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), stdout=theirs)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:  # the other end is closed
        os.close(ours)
    assert process.wait(60) == 0
    assert shown.count("▀".encode()) == 72 * 36
    assert b"like the training" in shown


def test_two_pixels_are_a_character_and_greys_keep_their_order() -> None:
    plane = np.array([[0, 255], [255, 0], [128, 128], [128, 128]], np.uint8)
    lines = half_blocks(plane, width=80).splitlines()
    assert [line.count("▀") for line in lines] == [2, 2]
    assert lines[0].startswith("\x1b[38;5;232;48;5;255m")
    wide = half_blocks(np.zeros((144, 144), np.uint8), width=80).splitlines()
    assert (len(wide), wide[0].count("▀")) == (36, 72)
