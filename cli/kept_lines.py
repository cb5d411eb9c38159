"""What was done, a line each, on disk, so that a process that was killed does not do it all again."""

import fcntl
import json
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from cli.whole_file import write_whole
from core.errors import Conflict


class KeptLines:
    """A set of texts that only grows, a line of JSON for each; a line that a crash cut is forgotten.

    Entering it takes it for this process alone: raises Conflict where another has it. `what` says, in that
    error's words, what that one does.
    """

    def __init__(self, path: Path, what: str) -> None:
        self._path, self._what = path, what
        self._lines: set[str] = set()

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = self._path.with_suffix(".lock").open("wb")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise Conflict(f"another process {self._what} already") from None
        if self._path.exists():
            lines = self._path.read_text("utf-8", "replace").splitlines()
            self._lines = {line for line in lines if len(line) > 1 and line[0] == line[-1] == '"'}
            write_whole(self._path, ["".join(f"{line}\n" for line in sorted(self._lines)).encode()])
        self._file = self._path.open("a", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._lock.close()

    def __contains__(self, text: object) -> bool:
        return json.dumps(text) in self._lines

    def add(self, texts: Iterable[str]) -> None:
        """Keep these, too."""
        lines = [json.dumps(text) for text in texts]
        self._file.writelines(f"{line}\n" for line in lines)
        self._file.flush()
        self._lines.update(lines)
