"""multipart/form-data read from files as it is sent, so that a night of cutouts costs no memory."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import InvalidRequest

_CHUNK = 256 * 1024


@dataclass(frozen=True)
class File:
    """A file to upload and what it is called in the results."""

    name: str
    path: Path


class MultipartBody:
    """A body of known length to be read once; the files are opened one after the other.

    Raises InvalidRequest while it is read when a file has changed its size or is gone.
    """

    def __init__(self, files: Sequence[File], fields: Mapping[str, str], *, boundary: str) -> None:
        self._boundary = boundary
        self._fields = [self._head(f'name="{name}"') + value.encode() for name, value in fields.items()]
        self._files = [(file, _size(file), self._file_head(file)) for file in files]
        self._tail = f"\r\n--{self._boundary}--\r\n".encode()
        self._chunks = self._generate()
        self._rest = b""

    def __len__(self) -> int:
        files = sum(size + len(head) for _, size, head in self._files)
        return sum(map(len, self._fields)) + files + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def read(self, size: int) -> bytes:
        """The next bytes, at most `size` of them; none at the end."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._rest = chunk
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def _generate(self) -> Iterator[bytes]:
        yield from self._fields
        for file, size, head in self._files:
            yield head
            yield from _content(file, size)
        yield self._tail

    def _head(self, disposition: str, more: str = "") -> bytes:
        lines = f"\r\n--{self._boundary}\r\nContent-Disposition: form-data; {disposition}\r\n{more}\r\n"
        return lines.encode("utf-8", "replace")

    def _file_head(self, file: File) -> bytes:
        escaped = file.name.replace("\\", "\\\\").replace('"', '\\"')
        name = "".join(c for c in escaped if c.isprintable())
        return self._head(f'name="files"; filename="{name}"', "Content-Type: application/octet-stream\r\n")


def _size(file: File) -> int:
    try:
        return file.path.stat().st_size
    except OSError as error:
        raise InvalidRequest(f"{file.name} can't be read: {error.strerror}") from error


def _content(file: File, size: int) -> Iterator[bytes]:
    sent = 0
    try:
        with file.path.open("rb") as content:
            while chunk := content.read(_CHUNK):
                sent += len(chunk)
                if sent > size:
                    break
                yield chunk
    except OSError as error:
        raise InvalidRequest(f"{file.name} can't be read: {error.strerror}") from error
    if sent != size:
        raise InvalidRequest(f"{file.name} changed while it was sent: it had {size} bytes")
