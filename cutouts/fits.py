"""Float images out of FITS files: `.fits`, `.fits.gz` and tile-compressed `.fits.fz`.

Structure and plain images are read here: every size is known before anything is allocated, and no file can
raise a warning, whose filters all threads share. Astropy reads what is tile-compressed.
"""

import io
import math
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import CutoutRejected
from cutouts.fits_units import TYPES, Unit, rejected, units_of

Plane = NDArray[np.float32]

FITS_MAGIC = b"SIMPLE  ="
GZIP_MAGIC = b"\x1f\x8b"
MAX_PIXELS = 1_000_000
"""A cutout, not an exposure."""

_TILES = ("RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "NOCOMPRESS")  # the others trust sizes within the data
_TILE_COLUMNS = ("COMPRESSED_DATA", "GZIP_COMPRESSED_DATA")
_WIDEST_BYTES = 8


def read_fits(data: bytes, *, max_bytes: int, max_pixels: int = MAX_PIXELS) -> Plane:
    """The first image of a FITS file.

    Returns (h, w) float32 in the file's own units, scaled by BSCALE and BZERO, BLANK as NaN; the file's first
    row comes first. Raises CutoutRejected for what is not whole, not two-dimensional or over the limits.
    """
    if data.startswith(GZIP_MAGIC):
        data = unzipped(data, max_bytes)
    if not data.startswith(FITS_MAGIC):
        raise rejected("not_an_image", f"starts with {data[:8]!r}; expected a FITS file")
    for unit in units_of(data):
        tiled = unit.cards.get("ZIMAGE") == "T"
        if not tiled and unit.cards.get("XTENSION", "IMAGE") != "IMAGE":
            continue
        axes = unit.axes("Z" if tiled else "")
        if not axes or 0 in axes:
            continue
        shape = _checked(axes, min(max_pixels, MAX_PIXELS))
        there = len(data) - unit.start
        if unit.data_bytes > there:
            raise rejected("truncated", f"{there} bytes of data; expected {unit.data_bytes}")
        return _tiled(data, unit, shape) if tiled else _plain(data, unit, shape)
    raise rejected("not_an_image", "a FITS file without an image; expected one of two axes")


def _checked(axes: tuple[int, ...], most: int) -> tuple[int, int]:
    """Height and width, of an image of two axes; others may have a length of 1."""
    told = "x".join(map(str, reversed(axes)))
    if len(axes) < 2 or any(length != 1 for length in axes[:-2]):
        raise rejected("not_two_dimensional", f"an image of {told}; expected a single plane of two axes")
    if math.prod(axes) > most:
        raise rejected("too_many_pixels", f"{told}; expected at most {most} pixels")
    return axes[-2], axes[-1]


def _plain(data: bytes, unit: Unit, shape: tuple[int, int]) -> Plane:
    raw = np.frombuffer(data, TYPES[unit.bits], math.prod(shape), unit.start).reshape(shape)
    scale, zero = unit.number("BSCALE", 1.0), unit.number("BZERO", 0.0)
    with np.errstate(all="ignore"):
        plane = raw.astype(np.float64)
        if unit.bits > 0 and "BLANK" in unit.cards:
            plane[raw == unit.whole("BLANK")] = np.nan
        return (plane * scale + zero).astype(np.float32)


def _tiled(data: bytes, unit: Unit, shape: tuple[int, int]) -> Plane:
    kind = unit.cards.get("ZCMPTYPE", "")
    if kind not in _TILES:
        raise rejected("undecodable", f"tiles compressed by {kind!r}; expected one of {', '.join(_TILES)}")
    tile = unit.whole("ZTILE1", shape[1]), unit.whole("ZTILE2", 1)
    if not (0 < tile[0] <= shape[1] and 0 < tile[1] <= shape[0]):
        raise rejected(
            "undecodable", f"tiles of {tile[0]}x{tile[1]}; expected them to fit {shape[1]}x{shape[0]}"
        )
    from astropy.io import fits  # half a second, for the process that meets such a file

    try:
        with fits.open(io.BytesIO(data), memmap=False, disable_image_compression=True) as units:
            _check_tiles(units[unit.index].data, _WIDEST_BYTES * math.prod(tile))
        with fits.open(io.BytesIO(data), memmap=False) as units, np.errstate(all="ignore"):
            return np.asarray(units[unit.index].data, np.float64).reshape(shape).astype(np.float32)
    except CutoutRejected:
        raise
    except Exception as error:
        detail = f"tiles that can't be read ({type(error).__name__}: {error}); expected a whole file"
        raise rejected("undecodable", detail) from error


def _check_tiles(table: Any, most: int) -> None:
    """Unpack zipped tiles no further than a tile may go; astropy would fill the memory."""
    for name in _TILE_COLUMNS:
        for cell in table[name] if name in table.names else ():
            if (packed := bytes(cell)).startswith(GZIP_MAGIC):
                unzipped(packed, most)


def unzipped(data: bytes, most: int) -> bytes:
    """All members of a gzip; raises CutoutRejected for damage and for more bytes than these."""
    unpacked = bytearray()
    rest = data
    while rest.strip(b"\0"):
        member = zlib.decompressobj(wbits=31)
        try:
            unpacked += member.decompress(rest, most + 1 - len(unpacked))
        except zlib.error as error:
            raise rejected("truncated", f"a damaged gzip ({error}); expected a whole file") from error
        if len(unpacked) > most:
            raise rejected("too_large", f"unpacks to over {most} bytes; expected at most that")
        if not member.eof:
            raise rejected("truncated", f"{len(data)} bytes of a gzip that ends early; expected a whole file")
        rest = member.unused_data
    return bytes(unpacked)
