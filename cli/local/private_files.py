"""Files and folders that only their owner may read, written so that a crash leaves the old or the new one."""

import os
from pathlib import Path

from core.errors import Misconfigured
from core.flushing import flush_folder

FOLDER_MODE = 0o700
FILE_MODE = 0o600


def private_folder(path: Path) -> Path:
    """Make a folder that only the owner may enter; an existing one is closed to others.

    Raises Misconfigured when it can't be made, or is a file, or somebody else's.
    """
    try:
        path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        if path.stat().st_mode & 0o777 != FOLDER_MODE:
            path.chmod(FOLDER_MODE)
    except OSError as error:
        raise unusable(path, error) from error
    return path


def unusable(path: Path, error: OSError) -> Misconfigured:
    """What to raise for a path in the state folder that the system refuses."""
    return Misconfigured(
        f"{path} can't be used: {error.strerror}; expected DA_STATE_DIR to name a folder of yours"
    )


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600 in one step: a reader, or a crash, sees the old text or the new."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    flush_folder(path.parent)
