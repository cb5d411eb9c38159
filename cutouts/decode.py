"""From a file's bytes to what a network sees, or a rejection that says why not."""

import io
import struct
from dataclasses import dataclass

import numpy as np
from PIL import Image

from core.errors import CutoutRejected
from cutouts.recipes import RECIPES, Pixels

_MAGIC = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG"}
_MODES = frozenset({"L", "RGB", "P", "LA", "RGBA"})
_DAMAGE = (OSError, ValueError, SyntaxError, EOFError, struct.error)  # what Pillow raises
MIN_SIDE_PX = 16
FLAT_SHARE = 0.995  # a real cutout's sky noise spreads over some fifty grey levels


@dataclass(frozen=True)
class DecodeLimits:
    """What one cutout may cost: bytes of the file, and width x height, checked before decoding."""

    max_bytes: int = 8 * 2**20
    max_pixels: int = 4_000_000


def decode(data: bytes, *, recipe: str = "deepstreaks-1", limits: DecodeLimits | None = None) -> Pixels:
    """Decode a JPEG or PNG cutout by a recipe.

    Returns (144, 144, 1) uint8, 0 black - 255 white.
    Raises CutoutRejected for anything that is not a whole, 8-bit, non-degenerate picture within the limits.
    """
    limits = limits or DecodeLimits()
    prepare = RECIPES[recipe]
    image = _open(data, limits)
    try:
        image.load()
        pixels = prepare(image)
    except _DAMAGE as error:
        detail = f"{len(data)} bytes that end early or are damaged ({error}); expected a whole file"
        raise _rejected("truncated", detail) from error
    except Exception as error:
        detail = f"{type(error).__name__}: {error}; expected a whole file"
        raise _rejected("undecodable", detail) from error
    _refuse_flat(pixels)
    return pixels


def _open(data: bytes, limits: DecodeLimits) -> Image.Image:
    if not data:
        raise _rejected("empty", "0 bytes; expected a JPEG or PNG file")
    if len(data) > limits.max_bytes:
        raise _rejected("too_large", f"{len(data)} bytes; expected at most {limits.max_bytes}")
    form = next((form for magic, form in _MAGIC.items() if data.startswith(magic)), None)
    if form is None:
        raise _rejected("not_an_image", f"starts with {data[:8]!r}; expected a JPEG or PNG file")
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


def _refuse_flat(pixels: Pixels) -> None:
    counts = np.bincount(pixels.ravel(), minlength=256)
    share = float(counts.max()) / pixels.size
    if share >= FLAT_SHARE:
        level = int(counts.argmax())
        raise _rejected("flat", f"{share:.1%} of its pixels are grey {level}; expected an image of the sky")


def _rejected(reason: str, detail: str) -> CutoutRejected:
    return CutoutRejected("decode", reason, detail)
