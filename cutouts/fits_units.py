"""The structure of a FITS file, read from its headers alone: what is where, and how large."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from core.errors import CutoutRejected

TYPES = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
"""The types of pixels by BITPIX, as numpy calls them."""

_BLOCK, _CARD = 2880, 80
_MOST_UNITS = 16
_MOST_HEADER_BLOCKS = 64
_MOST_AXES = 999  # FITS standard 4.0, section 4.4.1


@dataclass(frozen=True)
class Unit:
    """One header, and where its data begins. All methods raise CutoutRejected for values that can't be."""

    index: int
    cards: dict[str, str]
    start: int

    def whole(self, key: str, default: int | None = None) -> int:
        """The value of a keyword, an integer."""
        text = self.cards.get(key)
        if text is None and default is not None:
            return default
        try:
            return int(text or "")
        except ValueError as error:
            raise rejected("undecodable", f"{key} is {text!r}; expected an integer") from error

    def number(self, key: str, default: float) -> float:
        """The value of a keyword, a finite number."""
        text = self.cards.get(key)
        try:
            value = default if text is None else float(text.upper().replace("D", "E"))
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise rejected("undecodable", f"{key} is {text!r}; expected a number")
        return value

    def axes(self, prefix: str = "") -> tuple[int, ...]:
        """The lengths of the axes, the slowest first."""
        count = self.whole(f"{prefix}NAXIS")
        if not 0 <= count <= _MOST_AXES:
            raise rejected("undecodable", f"{prefix}NAXIS is {count}; expected 0 to {_MOST_AXES}")
        lengths = tuple(self.whole(f"{prefix}NAXIS{n}") for n in range(count, 0, -1))
        if min(lengths, default=0) < 0:
            raise rejected("undecodable", f"axes of {lengths[::-1]} pixels; expected no negative length")
        return lengths

    @property
    def bits(self) -> int:
        """BITPIX: the size of a pixel, negative for floats."""
        bits = self.whole("BITPIX")
        if bits not in TYPES:
            raise rejected("undecodable", f"BITPIX is {bits}; expected one of {', '.join(map(str, TYPES))}")
        return bits

    @property
    def data_bytes(self) -> int:
        """How many bytes of data follow the header, without the padding."""
        axes, extra, groups = self.axes(), self.whole("PCOUNT", 0), self.whole("GCOUNT", 1)
        if extra < 0 or groups < 1:
            raise rejected("undecodable", f"PCOUNT {extra} and GCOUNT {groups}; expected no negative size")
        return abs(self.bits) // 8 * groups * (extra + math.prod(axes)) if axes else 0


def units_of(data: bytes) -> Iterator[Unit]:
    """The headers of a file, one by one, up to its end; raises CutoutRejected for one that is cut short."""
    offset = 0
    for index in range(_MOST_UNITS):
        if offset >= len(data):
            return
        cards, start = _header(data, offset)
        unit = Unit(index, cards, start)
        yield unit
        offset = start + -(-unit.data_bytes // _BLOCK) * _BLOCK


def rejected(reason: str, detail: str) -> CutoutRejected:
    """The rejection of a file by its content."""
    return CutoutRejected("decode", reason, detail)


def _header(data: bytes, offset: int) -> tuple[dict[str, str], int]:
    """Keywords with their values as text, and where the header ends."""
    cards: dict[str, str] = {}
    for _ in range(_MOST_HEADER_BLOCKS):
        block = data[offset : offset + _BLOCK]
        if len(block) < _BLOCK:
            raise rejected("truncated", "a header that ends early; expected its END and whole blocks")
        offset += _BLOCK
        for card in (block[at : at + _CARD] for at in range(0, _BLOCK, _CARD)):
            key = card[:8].rstrip()
            if key == b"END":
                return cards, offset
            if card[8:10] == b"= ":
                cards.setdefault(key.decode("latin-1"), _value(card[10:].decode("latin-1")))
    raise rejected("undecodable", f"a header of over {_MOST_HEADER_BLOCKS} blocks; expected its END")


def _value(text: str) -> str:
    """A card's value, without quotes and comment."""
    text = text.strip()
    return text[1:].partition("'")[0].rstrip() if text.startswith("'") else text.partition("/")[0].strip()
