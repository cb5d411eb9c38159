"""What the demo may delete: a folder that a demo made, and nothing else."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.verbs.demo import fresh_settings
from core.errors import Conflict


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the demo; it changes the environment, which is put back."""
    before = dict(os.environ)
    monkeypatch.setenv("DA_STATE_DIR", str(tmp_path))
    yield tmp_path / "demo"
    os.environ.clear()
    os.environ.update(before)


def test_a_folder_that_a_demo_made_is_emptied(folder: Path) -> None:
    assert fresh_settings().state_dir == folder
    (folder / "mongo" / "data").mkdir(parents=True)
    (folder / "secrets.json").write_text("{}")
    (folder / "mongo" / "link").symlink_to(folder.parent)
    (folder / "link").symlink_to(folder.parent)
    os.environ["DA_STATE_DIR"] = str(folder.parent)
    fresh_settings()
    assert not {"mongo", "secrets.json", "link"} & {entry.name for entry in folder.iterdir()}
    assert folder.parent.is_dir()


def test_a_folder_of_somebody_else_is_refused_and_stays_as_it_was(folder: Path) -> None:
    (folder / "thesis").mkdir(parents=True)
    (folder / "thesis" / "chapter1.tex").write_text("years of work")
    folder.chmod(0o755)
    with pytest.raises(Conflict, match=r"no demo made it.*DA_STATE_DIR"):
        fresh_settings()
    assert [path.name for path in folder.rglob("*")] == ["thesis", "chapter1.tex"]
    assert folder.stat().st_mode & 0o777 == 0o755


def test_an_empty_folder_is_taken(folder: Path) -> None:
    folder.mkdir()
    assert fresh_settings().state_dir == folder
