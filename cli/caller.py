"""Where the user stands. The service runs from its root, but paths are meant from where they were typed."""

import os
from pathlib import Path

CALLER_FOLDER = "DA_CALLER_CWD"


def caller_folder() -> Path:
    """The folder that ./streaks was called from."""
    return Path(os.environ.get(CALLER_FOLDER) or Path.cwd())


def from_caller(path: str | Path) -> Path:
    """A path that the user typed, made absolute from where they typed it; `~` is their home."""
    return caller_folder() / Path(path).expanduser()
