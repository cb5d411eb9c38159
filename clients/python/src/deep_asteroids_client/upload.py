"""What is sent: the images of files and folders, read as they are sent, so that a night costs no memory."""

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deep_asteroids_client.errors import InvalidRequest, NotFound

IMAGES = (".jpg", ".jpeg", ".png", ".fits", ".fits.gz", ".fits.fz")
_CHUNK = 256 * 1024

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class File:
    """A file, and what it is called in the results."""

    name: str
    path: Path


def collect(paths: Sequence[PathLike]) -> list[File]:
    """The files that are named, whatever they are, and the images below folders, in the order of their names.

    Raises NotFound for what is not there, InvalidRequest for a folder without images or no path at all.
    """
    if not paths:
        raise InvalidRequest("no path came; expected files or folders of images")
    found: dict[str, File] = {}
    for given in paths:
        path = Path(given).expanduser()
        if path.is_dir():
            found |= {file.name: file for file in _images(path)}
        elif path.is_file():
            found[str(given)] = File(str(given), path)
        else:
            raise NotFound(
                f"{given}: no such file or folder; expected {', '.join(IMAGES)}, a zip or a folder"
            )
    return list(found.values())


def _images(folder: Path) -> list[File]:
    def refuse(error: OSError) -> None:
        raise InvalidRequest(f"{error.filename} can't be read: {error.strerror}; nothing was sent") from error

    images = [
        Path(place) / name
        for place, _, names in os.walk(folder, onerror=refuse)
        for name in names
        if name.lower().endswith(IMAGES) and not name.startswith(".")
    ]
    if not images:
        raise InvalidRequest(f"{folder}: a folder without images; expected {', '.join(IMAGES)} in it")
    return [File(str(path), path) for path in sorted(images)]


class Upload:
    """multipart/form-data of a known length; each time that it is sent the files are read again.

    Raises InvalidRequest while it is read when a file has changed its size or is gone.
    """

    def __init__(self, files: Sequence[File], fields: Mapping[str, str] | None = None) -> None:
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self._fields = [
            _head(boundary, f'name="{name}"') + value.encode() for name, value in (fields or {}).items()
        ]
        self._files = [(file, _size(file), _file_head(boundary, file)) for file in files]
        self._tail = f"\r\n--{boundary}--\r\n".encode()

    def __len__(self) -> int:
        files = sum(len(head) + size for _, size, head in self._files)
        return sum(map(len, self._fields)) + files + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        yield from self._fields
        for file, size, head in self._files:
            yield head
            yield from _content(file, size)
        yield self._tail


def _head(boundary: str, disposition: str) -> bytes:
    return f"\r\n--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n".encode(
        "utf-8", "replace"
    )


def _file_head(boundary: str, file: File) -> bytes:
    escaped = file.name.replace("\\", "\\\\").replace('"', '\\"')
    name = "".join(letter for letter in escaped if letter.isprintable())
    return _head(boundary, f'name="files"; filename="{name}"')


def _size(file: File) -> int:
    try:
        return file.path.stat().st_size
    except OSError as error:
        raise InvalidRequest(f"{file.name} can't be read: {error.strerror}") from error


def _content(file: File, size: int) -> Iterator[bytes]:
    left = size
    try:
        with file.path.open("rb") as content:
            while left > 0 and (chunk := content.read(min(left, _CHUNK))):
                left -= len(chunk)
                yield chunk
            changed = left > 0 or bool(content.read(1))
    except OSError as error:
        raise InvalidRequest(f"{file.name} can't be read: {error.strerror}") from error
    if changed:
        raise InvalidRequest(f"{file.name} changed while it was sent: it had {size} bytes")
