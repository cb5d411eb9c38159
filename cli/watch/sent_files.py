"""Which files were sent, on disk, so that a watcher that was killed sends no night again."""

import fcntl
import json
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cli.watch.folder import Seen
from cli.whole_file import write_whole
from core.errors import Conflict


class SentFiles:
    """A line of JSON for each file; a line that a crash cut costs one file sent twice, which is harmless.

    Entering it takes it for this process alone: raises Conflict where another has it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: set[str] = set()

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = self._path.with_suffix(".lock").open("wb")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise Conflict("another process watches this folder for this service already") from None
        if self._path.exists():
            lines = self._path.read_text("utf-8", "replace").splitlines()
            self._keys = {line for line in lines if line.startswith("[") and line.endswith("]")}
            write_whole(self._path, ("".join(f"{key}\n" for key in sorted(self._keys)).encode(),))
        self._file = self._path.open("a", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._lock.close()

    def __contains__(self, seen: Any) -> bool:
        return isinstance(seen, Seen) and _key(seen) in self._keys

    def add(self, files: Iterable[Seen]) -> None:
        """Note files that the service has an answer for."""
        keys = [_key(seen) for seen in files]
        self._file.writelines(f"{key}\n" for key in keys)
        self._file.flush()
        self._keys.update(keys)


def _key(seen: Seen) -> str:
    return json.dumps([seen.file.name, seen.size, seen.changed_ns, seen.inode])
