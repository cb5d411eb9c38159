"""A zip that is sent as it is made."""

import zipfile
from collections.abc import Iterable, Iterator
from typing import Any


def zip_stream(members: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    """The bytes of a zip of these files, stored as they are (pictures are compressed already).

    Holds one file at a time. Every file has the same date, so the same files are the same bytes.
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as archive:  # type: ignore[call-overload]
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data)
            yield sink.taken()
    yield sink.taken()


class _Sink:
    """A file without a position, from which what was written is taken."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""

    def taken(self) -> bytes:
        """What was written since the last time."""
        parts, self._parts = self._parts, []
        return b"".join(parts)
