"""A folder in memory for what is thrown away in the end: a database that flushes waits for no disk there."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cli.preflight import memory_available

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108
PREFIX = "streaks-"


@contextmanager
def memory_folder(room_bytes: int, *, on: Path = SHARED_MEMORY) -> Iterator[Path | None]:
    """An empty folder, removed at the end; None where memory has no such room, or runs no programs.

    Files there are memory that is used: half of what is available has to stay for others. What a run that was
    killed left behind, the next one removes.
    """
    if not on.is_dir():
        yield None
        return
    _remove_leftovers(on)
    if not _is_fit(on, room_bytes):
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=on))
    lock = os.open(folder, os.O_RDONLY)  # gone with this process, however it ends
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _is_fit(on: Path, room_bytes: int) -> bool:
    there = os.statvfs(on)
    if there.f_flag & os.ST_NOEXEC or not os.access(on, os.W_OK):
        return False
    return min(there.f_bavail * there.f_frsize, memory_available() // 2) >= room_bytes


def _remove_leftovers(on: Path) -> None:
    for folder in on.glob(f"{PREFIX}*"):
        with suppress(OSError):  # somebody else's, or removed meanwhile
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(lock)
