"""A folder that others write into: which of its files are complete."""

import os
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path

from cli.multipart import File
from core.errors import Unavailable
from cutouts.endings import TAIL_BYTES, ends_well
from cutouts.nights import FileKind, kind_of

_OF_A_NIGHT = (FileKind.CUTOUT, FileKind.TABLE, FileKind.ADES, FileKind.ARCHIVE)


@dataclass(frozen=True)
class Seen:
    """A file as it was at one look; another size, time or inode is another file."""

    file: File
    size: int
    changed_ns: int
    inode: int

    @classmethod
    def of(cls, file: File) -> "Seen | None":
        """The file as it is now; None where it is gone."""
        try:
            stat = file.path.stat()
        except OSError:
            return None
        return cls(file, stat.st_size, stat.st_mtime_ns, stat.st_ino)

    @property
    def is_unchanged(self) -> bool:
        """Whether it still is as it was."""
        return Seen.of(self.file) == self

    def ends_well(self) -> bool:
        """Whether its end is one of its kind."""
        try:
            with self.file.path.open("rb") as content:
                content.seek(max(0, self.size - TAIL_BYTES))
                return ends_well(self.file.name, self.size, content.read(TAIL_BYTES))
        except OSError:
            return False


class WatchedFolder:
    """Looked at again and again: network file systems don't tell of changes.

    A file is complete when it ends as its kind does and was the same for `settle_s`, or got its name from
    one under which uploads are written; or when it has been the same for `stalled_s`, whatever it is: then it
    is for the service to say what is wrong with it.
    """

    def __init__(self, folder: Path, *, settle_s: float, stalled_s: float) -> None:
        self.folder, self._settle_s, self._stalled_s = folder, settle_s, stalled_s
        self._since: dict[Seen, float] = {}
        self._unnamed: set[int] = set()

    @property
    def waiting(self) -> int:
        """How many files the last look found that are not complete."""
        return len(self._since)

    def complete(self, sent: Container[Seen], *, now: float) -> list[Seen]:
        """The complete files that were not sent; `now` is in seconds of a clock that only goes on.

        Raises Unavailable where the folder can't be read, as when a disk is not there for a while.
        """
        found: list[Seen] = []
        since: dict[Seen, float] = {}
        unnamed: set[int] = set()
        for seen in self._files():
            if _is_hidden(seen.file.name) or kind_of(seen.file.name) not in _OF_A_NIGHT:
                unnamed.add(seen.inode)
            elif seen not in sent:
                first = self._since.get(seen, now)
                if self._is_complete(seen, now - first):
                    found.append(seen)
                else:
                    since[seen] = first
        self._since, self._unnamed = since, unnamed
        return found

    def _is_complete(self, seen: Seen, age_s: float) -> bool:
        if age_s >= self._stalled_s:
            return True
        return (age_s >= self._settle_s or seen.inode in self._unnamed) and seen.ends_well()

    def _files(self) -> Iterator[Seen]:
        """Every file below the folder; links to folders are not followed."""
        if not self.folder.is_dir():
            raise Unavailable(f"{self.folder} is not there; expected the folder that is watched")
        for place, folders, names in os.walk(self.folder):
            folders.sort()
            for name in sorted(names):
                path = Path(place) / name
                seen = Seen.of(File(str(path.relative_to(self.folder)), path))
                if seen is not None and path.is_file():
                    yield seen


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in Path(name).parts)
