"""multipart/form-data from a file on disk, one part at a time, in the memory of one part."""

import tempfile
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from core.errors import InvalidRequest

_CHUNK = 256 * 1024
_IN_MEMORY = 1024 * 1024  # of one part; what is more goes to disk


@dataclass(frozen=True)
class Part:
    """One part: a field's name, the file's name if it is a file, and its content from the beginning."""

    field: str
    filename: str | None
    content: BinaryIO
    size: int


def parts_of(body: BinaryIO, content_type: str, *, spool_dir: Path) -> Iterator[Part]:
    """The parts of a body, in order. The content of each is closed when the next one is asked for.

    Raises InvalidRequest for a body that is not well-formed, or ends early.
    """
    collector = _Collector(spool_dir)
    try:
        parser = MultipartParser(_boundary(content_type), collector.callbacks())  # type: ignore[arg-type]
        while chunk := body.read(_CHUNK):
            parser.write(chunk)
            yield from collector.finished()
        parser.finalize()
    except FormParserError as error:
        raise InvalidRequest(f"the multipart body is malformed: {error}") from error
    finally:
        collector.close()
    if not collector.ended:
        raise InvalidRequest("the multipart body ends early; expected a closing boundary")


def _boundary(content_type: str) -> bytes:
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise InvalidRequest("Content-Type has no boundary; expected multipart/form-data; boundary=…")
    return boundary


class _Collector:
    """What the parser calls back."""

    def __init__(self, spool_dir: Path) -> None:
        self._spool_dir = spool_dir
        self._finished: deque[Part] = deque()
        self._content: BinaryIO | None = None
        self._headers: dict[bytes, bytes] = {}
        self._name, self._value = b"", b""
        self._size = 0
        self.ended = False

    def callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._all,
        }

    def finished(self) -> Iterator[Part]:
        """The parts that are complete; each is closed after its turn."""
        while self._finished:
            part = self._finished.popleft()
            with part.content:
                yield part

    def close(self) -> None:
        """Close what nobody asked for."""
        for part in self._finished:
            part.content.close()
        if self._content is not None:
            self._content.close()

    def _begin(self) -> None:
        spooled = tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(self._spool_dir))  # noqa: SIM115  closed above
        self._content = cast(BinaryIO, spooled)
        self._headers, self._size = {}, 0

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name, self._value = b"", b""

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._content is not None:
            self._content.write(data[start:end])
            self._size += end - start

    def _end(self) -> None:
        if self._content is None:
            return
        self._content.seek(0)
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        field, filename = options.get(b"name", b""), options.get(b"filename")
        decoded = None if filename is None else filename.decode("utf-8", "replace")
        self._finished.append(Part(field.decode("utf-8", "replace"), decoded, self._content, self._size))
        self._content = None

    def _all(self) -> None:
        self.ended = True
