"""Which files were sent, on disk, so that a watcher that was killed sends no night again."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cli.kept_lines import KeptLines
from cli.watch.folder import Seen


class SentFiles(KeptLines):
    """Files as they were when they were sent; one that is forgotten is sent twice, which is harmless."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "watches this folder for this service")

    def __contains__(self, seen: Any) -> bool:
        return isinstance(seen, Seen) and super().__contains__(_key(seen))

    def note(self, files: Iterable[Seen]) -> None:
        """Note files that the service has an answer for."""
        self.add(_key(seen) for seen in files)


def _key(seen: Seen) -> str:
    return f"{seen.size} {seen.changed_ns} {seen.inode} {seen.file.name}"
