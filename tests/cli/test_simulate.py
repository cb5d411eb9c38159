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
