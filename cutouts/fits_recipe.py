"""The recipe `fits-1`: a float difference image to the grey cutout that the networks' own recipes take."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import CutoutRejected
from core.instrument import Instrument
from cutouts.instruments import ZTF
from cutouts.stretch import SIGMA_GREY, SKY_GREY, to_grey

Plane = NDArray[np.float32]

SIZE_PX = 157
MIN_SIDE_PX = 16
MAX_SIDE_PX = 1000
SAME_SCALE = 0.01  # a pixel scale this close is not resampled: 1.6 px over a cutout's side
_IQR_PER_SIGMA = 1.349
_FAR_SIGMAS = 1e6  # what is beyond, up to the largest float, is as far


def fits_1(plane: Plane, instrument: Instrument = ZTF) -> NDArray[np.uint8]:
    """A difference image as the networks know them: `framed(stretched(plane, instrument))`."""
    return framed(stretched(plane, instrument))


def stretched(plane: Plane, instrument: Instrument) -> Plane:
    """Resample a difference image to 1.01 arcsec/px and stretch it by its own sky.

    Parameters
    ----------
    plane : (h, w) float, in any unit; NaN, infinities and the instrument's mask value are masked.

    Returns (h', w') float32 grey levels: 204 - 20.4 z, z in robust sigmas of the sky above its median, a new
    source positive; not clipped, NaN where masked. Raises CutoutRejected for an image that is masked beyond
    the instrument's share, too small or too large on the sky, or flat.
    """
    sheet = np.array(plane, np.float32)
    if instrument.mask_value is not None:
        sheet[sheet == np.float32(instrument.mask_value)] = np.nan
    sheet[~np.isfinite(sheet)] = np.nan
    _refuse_masked(sheet, instrument)
    z = _sigmas(sheet)
    if instrument.polarity == "negative":
        z = -z
    if instrument.saturation_sigma is not None:
        z = np.minimum(z, np.float32(instrument.saturation_sigma))  # lest it spreads when resampled
    z = _resampled(z, instrument)
    return np.float32(SKY_GREY) - np.float32(SIGMA_GREY) * z


def framed(grey: Plane) -> NDArray[np.uint8]:
    """What `stretched` returned in a frame of (157, 157) uint8, its middle in the middle.

    A smaller image is surrounded by the grey of the sky, and never enlarged; of a larger one the middle is
    kept. Masked pixels get the grey of the sky.
    """
    frame = np.full((SIZE_PX, SIZE_PX), np.nan, np.float32)
    inside, kept = zip(*(_overlap(length) for length in grey.shape), strict=True)
    frame[inside] = grey[kept]
    return to_grey((np.float32(SKY_GREY) - frame) / np.float32(SIGMA_GREY), int(SKY_GREY))


def resampled(plane: Plane, shape: tuple[int, int]) -> Plane:
    """A plane in another number of pixels; one that is masked by more than a half stays masked.

    Fewer pixels are means over areas, which keep white noise white; more are bilinear.
    """
    good = np.isfinite(plane)
    weight = _resized(good.astype(np.float32), shape)
    value = _resized(np.where(good, plane, np.float32(0)), shape)
    with np.errstate(all="ignore"):
        result: Plane = np.where(weight > 0.49, value / weight, np.float32(np.nan))
    return result


def widening(instrument: Instrument) -> float:
    """How many pixels of the picture one of the instrument's is wide; 1.0 where that is as good as one."""
    factor = instrument.arcsec_per_px / ZTF.arcsec_per_px
    return 1.0 if abs(factor - 1) < SAME_SCALE else factor


def _resampled(plane: Plane, instrument: Instrument) -> Plane:
    factor = widening(instrument)
    height, width = (round(side * factor) for side in plane.shape)
    if min(height, width, *plane.shape) < MIN_SIDE_PX or max(height, width) > MAX_SIDE_PX:
        reason = "too_many_pixels" if max(height, width) > MAX_SIDE_PX else "too_small"
        raise _rejected(
            reason,
            f"{plane.shape[1]}x{plane.shape[0]} of {instrument.arcsec_per_px} arcsec, "
            f"which are {width}x{height} of {ZTF.arcsec_per_px} arcsec; "
            f"expected {MIN_SIDE_PX} to {MAX_SIDE_PX} pixels a side",
        )
    return plane if factor == 1.0 else _sigmas(resampled(plane, (height, width)))


def _resized(plane: Plane, shape: tuple[int, int]) -> Plane:
    enlarges = shape[0] > plane.shape[0]
    how = Image.Resampling.BILINEAR if enlarges else Image.Resampling.BOX
    return np.asarray(Image.fromarray(plane).resize(shape[::-1], how), np.float32)


def _sigmas(sheet: Plane) -> Plane:
    """In robust sigmas above the median, both of the pixels that are not masked."""
    seen = sheet[np.isfinite(sheet)]
    if not seen.size:
        raise _rejected("masked", "masks leave no pixel once it is resampled; expected an image of the sky")
    low, middle, high = map(float, np.percentile(seen, [25, 50, 75]))
    sigma = (high - low) / _IQR_PER_SIGMA
    if not sigma > 0:
        share = float((seen == middle).mean())
        raise _rejected("flat", f"{share:.1%} of its pixels are {middle:g}; expected an image of the sky")
    with np.errstate(all="ignore"):
        z: Plane = np.clip((sheet - middle) / sigma, -_FAR_SIGMAS, _FAR_SIGMAS).astype(np.float32)
        return z


def _refuse_masked(sheet: Plane, instrument: Instrument) -> None:
    share = float(np.isnan(sheet).mean())
    if share > instrument.most_masked:
        most = f"{instrument.most_masked:.0%}, as {instrument.name} allows"
        raise _rejected("masked", f"{share:.1%} of its pixels are masked; expected at most {most}")


def _overlap(length: int) -> tuple[slice, slice]:
    """Where in the frame an axis of this length goes, and which part of it."""
    if length <= SIZE_PX:
        start = (SIZE_PX - length) // 2
        return slice(start, start + length), slice(0, length)
    start = (length - SIZE_PX) // 2
    return slice(0, SIZE_PX), slice(start, start + SIZE_PX)


def _rejected(reason: str, detail: str) -> CutoutRejected:
    return CutoutRejected("decode", reason, detail)
