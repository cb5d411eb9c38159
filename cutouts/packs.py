"""Packs: many cutouts as a network sees them in one run of bytes, each with a checksum of its own.

A pack begins with 16 bytes (magic, length and CRC-32 of the index, little-endian), then comes the index as
JSON, zeros up to a multiple of 4096, and the pixels of its cutouts, one after the other.
"""

import hashlib
import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
from pydantic import BaseModel, ValidationError

from core.errors import Damaged
from core.outcome import Departure
from cutouts import calibration
from cutouts.instruments import ZTF
from cutouts.recipes import SIZE_PX, Pixels

MAGIC = b"DAPACK1\n"
IMAGE_BYTES = SIZE_PX * SIZE_PX
_PREAMBLE = struct.Struct("<8sII")
_PAGE = 4096


@dataclass(frozen=True)
class PackedCutout:
    """A cutout in a pack: its id, the sha256 of the bytes it was made from, (144, 144, 1) uint8 pixels."""

    cutout: str
    sha256: str
    pixels: Pixels
    departures: tuple[Departure, ...] = ()


@dataclass(frozen=True)
class PackIndex:
    """What a pack says of its cutouts, row by row, and where their pixels begin."""

    preparation: str
    cutouts: tuple[str, ...]
    sha256s: tuple[str, ...]
    crc32s: tuple[int, ...]
    departures: Mapping[int, tuple[Departure, ...]]
    pixels_at: int

    @cached_property
    def rows(self) -> dict[str, int]:
        """The row of each cutout."""
        return {cutout: row for row, cutout in enumerate(self.cutouts)}

    def span(self, first: int, last: int) -> tuple[int, int]:
        """Where the bytes of rows `first` to `last`, both included, begin and end."""
        return self.pixels_at + first * IMAGE_BYTES, self.pixels_at + (last + 1) * IMAGE_BYTES


class _Told(BaseModel):
    """The index as it is written."""

    preparation: str
    cutouts: tuple[str, ...]
    sha256: tuple[str, ...]
    crc32: tuple[int, ...]
    departures: dict[int, tuple[tuple[str, float, float, float], ...]]


def preparation(recipe: str) -> str:
    """How a pack's cutouts were prepared: the recipe, and a mark of all else that decides what is in it.

    The rest is the profile of the instrument that packs are for, and by what departures are found. Packs with
    another mark are not used.
    """
    rest = [asdict(ZTF), calibration.EXPECTED, calibration.VERSION]
    return f"{recipe}+{hashlib.sha256(json.dumps(rest).encode()).hexdigest()[:8]}"


def write_pack(prepared: str, cutouts: Sequence[PackedCutout]) -> bytes:
    """The bytes of a pack; the same cutouts give the same bytes."""
    images = [packed.pixels.tobytes() for packed in cutouts]
    index = {
        "preparation": prepared,
        "shape": [len(cutouts), SIZE_PX, SIZE_PX, 1],
        "cutouts": [packed.cutout for packed in cutouts],
        "sha256": [packed.sha256 for packed in cutouts],
        "crc32": [zlib.crc32(image) for image in images],
        "departures": {
            row: [[d.quantity, d.observed, *d.expected] for d in packed.departures]
            for row, packed in enumerate(cutouts)
            if packed.departures
        },
    }
    text = json.dumps(index, separators=(",", ":")).encode()
    head = _PREAMBLE.pack(MAGIC, len(text), zlib.crc32(text)) + text
    return b"".join([head, bytes(-len(head) % _PAGE), *images])


def read_index(head: bytes) -> PackIndex:
    """The index of a pack, of which `head` are at least the bytes before the pixels; raises Damaged."""
    if len(head) < _PREAMBLE.size:
        raise Damaged(f"a pack of {len(head)} bytes; expected at least {_PREAMBLE.size}")
    magic, length, crc32 = _PREAMBLE.unpack_from(head)
    text = head[_PREAMBLE.size : _PREAMBLE.size + length]
    if magic != MAGIC:
        raise Damaged(f"a pack that starts with {magic!r}; expected {MAGIC!r}")
    if len(text) != length or zlib.crc32(text) != crc32:
        raise Damaged(f"a pack whose index, {len(text)} of {length} bytes, is not what was written")
    try:
        told = _Told.model_validate_json(text)
    except ValidationError as error:
        raise Damaged(f"a pack whose index is none: {error.errors()[0]['msg']}") from error
    if len({len(told.cutouts), len(told.sha256), len(told.crc32)}) > 1:
        raise Damaged("a pack whose index has lists of several lengths; expected one entry of each a cutout")
    departures = {
        row: tuple(Departure(quantity, observed, (low, high)) for quantity, observed, low, high in found)
        for row, found in told.departures.items()
    }
    end = _PREAMBLE.size + length
    return PackIndex(told.preparation, told.cutouts, told.sha256, told.crc32, departures, end + -end % _PAGE)


def read_rows(index: PackIndex, data: bytes, first: int) -> tuple[Pixels, list[int]]:
    """The images in `data`, which are the bytes of a pack from row `first` on, and rows that are damaged.

    Returns (n, 144, 144, 1) uint8, a view on `data` with what is not whole at its end left out, and the rows
    whose bytes are not those that were written.
    """
    count = len(data) // IMAGE_BYTES
    view = memoryview(data)
    damaged = [
        first + n
        for n in range(count)
        if zlib.crc32(view[n * IMAGE_BYTES : (n + 1) * IMAGE_BYTES]) != index.crc32s[first + n]
    ]
    pixels = np.frombuffer(data, np.uint8, count * IMAGE_BYTES).reshape(count, SIZE_PX, SIZE_PX, 1)
    return pixels, damaged
