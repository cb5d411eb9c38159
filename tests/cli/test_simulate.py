import json
from pathlib import Path

import pytest

from cli.__main__ import main


def test_simulated_cutouts_are_written_where_the_user_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DA_CALLER_CWD", str(tmp_path))
    assert main(["simulate", "a night", "--preset", "night", "--count", "5", "--seed", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["out"], told["cutouts"]) == (str(tmp_path / "a night"), 5)
    assert len(list((tmp_path / "a night" / "stamps").rglob("*.jpg"))) == 5


def test_a_place_that_can_not_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["simulate", str(tmp_path / "file"), "--preset", "night", "--count", "1", "--seed", "1"]) == 1
    assert f"{tmp_path / 'file'} can't be written" in capsys.readouterr().err


def test_a_seed_below_zero_is_refused_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["simulate", str(tmp_path / "night"), "--preset", "night", "--count", "1", "--seed", "-1"]
    assert main([*words, "--json"]) == 1
    told = capsys.readouterr()
    assert json.loads(told.out)["error"] == "the seed is -1; expected 0 or more"
    assert told.err == "streaks: the seed is -1; expected 0 or more\n"
    assert not (tmp_path / "night").exists()
