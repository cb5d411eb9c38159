"""What kind of file some bytes are, by how they begin."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of file: how it is named over HTTP, and how its names end."""

    media_type: str
    suffix: str


UNKNOWN = FileKind("application/octet-stream", "")

_BY_MAGIC = {
    b"\xff\xd8\xff": FileKind("image/jpeg", ".jpg"),
    b"\x89PNG\r\n\x1a\n": FileKind("image/png", ".png"),
    b"SIMPLE  =": FileKind("image/fits", ".fits"),
}


def kind_of(data: bytes) -> FileKind:
    """The kind of a cutout's bytes; UNKNOWN for what begins like none."""
    return next((kind for magic, kind in _BY_MAGIC.items() if data.startswith(magic)), UNKNOWN)
