"""From a file's bytes to what a network sees, or a rejection that says why not."""

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import CutoutRejected
from core.instrument import Instrument
from core.outcome import Departure
from core.settings import Limits
from cutouts.calibration import departures
from cutouts.fits import FITS_MAGIC, GZIP_MAGIC, read_fits
from cutouts.fits_recipe import framed, stretched
from cutouts.instruments import ZTF
from cutouts.recipes import RECIPES, Pixels

_MAGIC = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG"}
_MODES = frozenset({"L", "RGB", "P", "LA", "RGBA"})
_DAMAGE = (OSError, ValueError, SyntaxError, EOFError, struct.error)  # what Pillow raises
_EXPECTED = "expected a JPEG, PNG or FITS file"
MIN_SIDE_PX = 16
FLAT_SHARE = 0.995  # a real cutout's sky noise spreads over some fifty grey levels


@dataclass(frozen=True)
class DecodeLimits:
    """What one cutout may cost: bytes of the file, and width x height, checked before decoding."""

    max_bytes: int = 8 * 2**20
    max_pixels: int = 4_000_000

    @classmethod
    def of(cls, limits: Limits) -> "DecodeLimits":
        """As the settings have them."""
        return cls(limits.cutout_bytes, limits.cutout_pixels)


@dataclass(frozen=True)
class Decoded:
    """Pixels by recipe, and in what the cutout departs from those that networks were trained on."""

    pixels: dict[str, Pixels]
    departures: tuple[Departure, ...]


def decode(
    data: bytes,
    *,
    recipe: str = "deepstreaks-1",
    instrument: Instrument = ZTF,
    limits: DecodeLimits | None = None,
) -> Pixels:
    """Decode a JPEG, PNG or FITS cutout by a recipe.

    Returns (144, 144, 1) uint8, 0 black - 255 white. A FITS image comes to the recipe by `fits-1`.
    Raises CutoutRejected for anything that is not a whole, non-degenerate image within the limits.
    """
    image, _ = _opened(data, instrument, limits or DecodeLimits())
    return _prepared(image, recipe)


def decode_checked(
    data: bytes,
    *,
    recipes: Sequence[str],
    instrument: Instrument = ZTF,
    limits: DecodeLimits | None = None,
) -> Decoded:
    """Decode a cutout by several recipes, as `decode` does, and compare it with what networks know."""
    image, grey = _opened(data, instrument, limits or DecodeLimits())
    pixels = {recipe: _prepared(image, recipe) for recipe in recipes}
    return Decoded(pixels, departures(np.asarray(image) if grey is None else grey, instrument))


def _opened(
    data: bytes, instrument: Instrument, limits: DecodeLimits
) -> tuple[Image.Image, NDArray[Any] | None]:
    """A grey picture, and for FITS the grey levels before they were framed and clipped."""
    if not data:
        raise _rejected("empty", f"0 bytes; {_EXPECTED}")
    if len(data) > limits.max_bytes:
        raise _rejected("too_large", f"{len(data)} bytes; expected at most {limits.max_bytes}")
    if data.startswith((FITS_MAGIC, GZIP_MAGIC)):
        return _plane(data, instrument, limits)
    image = _picture(data, limits)
    try:
        image.load()
        return image if image.mode == "L" else image.convert("L"), None
    except _DAMAGE as error:
        detail = f"{len(data)} bytes that end early or are damaged ({error}); expected a whole file"
        raise _rejected("truncated", detail) from error
    except Exception as error:
        detail = f"{type(error).__name__}: {error}; expected a whole file"
        raise _rejected("undecodable", detail) from error


def _plane(data: bytes, instrument: Instrument, limits: DecodeLimits) -> tuple[Image.Image, NDArray[Any]]:
    try:
        plane = read_fits(data, max_bytes=limits.max_bytes, max_pixels=limits.max_pixels)
        grey = stretched(plane, instrument)
        return Image.fromarray(framed(grey)), grey
    except CutoutRejected:
        raise
    except Exception as error:
        detail = f"{type(error).__name__}: {error}; expected a difference image in FITS"
        raise _rejected("undecodable", detail) from error


def _picture(data: bytes, limits: DecodeLimits) -> Image.Image:
    form = next((form for magic, form in _MAGIC.items() if data.startswith(magic)), None)
    if form is None:
        raise _rejected("not_an_image", f"starts with {data[:8]!r}; {_EXPECTED}")
    try:
        image = Image.open(io.BytesIO(data), formats=[form])
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _rejected("too_many_pixels", f"{error}; expected at most {limits.max_pixels} pixels") from error
    except _DAMAGE as error:
        raise _rejected("not_an_image", f"{error}; expected a whole {form} file") from error
    except Exception as error:
        detail = f"{type(error).__name__}: {error}; expected a whole {form} file"
        raise _rejected("not_an_image", detail) from error
    width, height = image.size
    if width * height > limits.max_pixels:
        raise _rejected("too_many_pixels", f"{width}x{height}; expected at most {limits.max_pixels} pixels")
    if min(width, height) < MIN_SIDE_PX:
        raise _rejected("too_small", f"{width}x{height}; expected at least {MIN_SIDE_PX} pixels a side")
    if image.mode not in _MODES:
        raise _rejected("unsupported_mode", f"pixel mode {image.mode}; expected 8-bit grey or RGB")
    return image


def _prepared(image: Image.Image, recipe: str) -> Pixels:
    pixels = RECIPES[recipe](image)
    _refuse_flat(pixels)
    return pixels


def _refuse_flat(pixels: Pixels) -> None:
    counts = np.bincount(pixels.ravel(), minlength=256)
    share = float(counts.max()) / pixels.size
    if share >= FLAT_SHARE:
        level = int(counts.argmax())
        raise _rejected("flat", f"{share:.1%} of its pixels are grey {level}; expected an image of the sky")


def _rejected(reason: str, detail: str) -> CutoutRejected:
    return CutoutRejected("decode", reason, detail)
