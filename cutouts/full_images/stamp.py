"""A stamp: the part of an image around a place, as the picture that networks know."""

from dataclasses import dataclass
from math import ceil, cos, radians

import numpy as np
from numpy.typing import NDArray

from core.errors import CutoutRejected
from core.instrument import Instrument
from cutouts.fits_recipe import SIZE_PX, fits_1, widening
from cutouts.full_images.full_image import FullImage
from cutouts.full_images.sky import SkyMap
from cutouts.instruments import ZTF

WCS_KEYS = (
    *("CTYPE1", "CTYPE2", "CRPIX1", "CRPIX2", "CRVAL1", "CRVAL2"),
    *("CD1_1", "CD1_2", "CD2_1", "CD2_2"),
)

_ROOM_PX = 2  # beyond the picture's edge, so that rounding leaves no rim


@dataclass(frozen=True)
class Stamp:
    """A picture and where it is.

    Parameters
    ----------
    picture : (157, 157) uint8, 0 black - 255 white, by the recipe `fits-1`, 1.01 arcsec/px, the place in its
        middle to half a pixel of the image. North is up and east to the left, as far as quarter turns and a
        mirror get there; where the image has no WCS, its first row is at the bottom.
    wcs : `WCS_KEYS`, a plane (TAN) WCS of the picture, whose first pixel, (1, 1), is the one at the top
        left; empty where the image has none.
    """

    picture: NDArray[np.uint8]
    wcs: dict[str, float | str]


@dataclass(frozen=True)
class _Turn:
    """How a square part of an image is turned: its axes are swapped first, and then mirrored."""

    swap: bool = False
    mirror_x: bool = False
    mirror_y: bool = True

    def __call__(self, plane: NDArray[np.float32]) -> NDArray[np.float32]:
        turned = plane.T if self.swap else plane
        turned = turned[:, ::-1] if self.mirror_x else turned
        return turned[::-1] if self.mirror_y else turned

    def back(self, x: float, y: float, side_px: int) -> tuple[float, float]:
        """Where a place in what was turned was before."""
        x = side_px - 1 - x if self.mirror_x else x
        y = side_px - 1 - y if self.mirror_y else y
        return (y, x) if self.swap else (x, y)


def cut_stamp(image: FullImage, x: float, y: float, instrument: Instrument) -> Stamp:
    """Cut a picture out around a place, counted from 0; what lies beyond the image's edge is masked.

    Raises CutoutRejected for a place that is not on the image, and as `fits_1` does for a part that is flat
    or masked beyond the instrument's share.
    """
    if not image.holds(x, y):
        raise CutoutRejected(
            "cut",
            "off_image",
            f"pixel ({x + 1:.1f}, {y + 1:.1f}); expected 1 to {image.width} and 1 to {image.height}",
        )
    side = ceil(SIZE_PX * ZTF.arcsec_per_px / instrument.arcsec_per_px) + _ROOM_PX
    side += 1 - side % 2
    left, bottom = round(x) - side // 2, round(y) - side // 2
    turn = _turn_at(image.sky, x, y)
    picture = fits_1(turn(image.read(left, bottom, side)), instrument)
    return Stamp(picture, _wcs(image.sky, turn, left, bottom, side, instrument))


def _turn_at(sky: SkyMap | None, x: float, y: float) -> _Turn:
    axes = None if sky is None else sky.axes_at(x, y)
    if axes is None:
        return _Turn()
    (east, north) = axes
    swap = abs(north[0]) > abs(north[1])
    if swap:
        east, north = east[::-1], north[::-1]
    return _Turn(swap, mirror_x=bool(east[0] > 0), mirror_y=bool(north[1] > 0))


def _wcs(
    sky: SkyMap | None, turn: _Turn, left: int, bottom: int, side: int, instrument: Instrument
) -> dict[str, float | str]:
    """Keywords of the WCS, from where the picture's middle and its neighbours are on the sky."""
    if sky is None:
        return {}
    resized = round(side * widening(instrument))
    start, middle = (resized - SIZE_PX) // 2, SIZE_PX // 2

    def on_sky(column: float, row: float) -> tuple[float, float]:
        x, y = ((place + start + 0.5) * side / resized - 0.5 for place in (column, row))
        x, y = turn.back(x, y, side)
        return sky.to_sky(left + x, bottom + y) or (float("nan"), float("nan"))

    ra, dec = on_sky(middle, middle)
    (east_x, north_x), (east_y, north_y) = (
        (((end[0] - ra + 180) % 360 - 180) * cos(radians(dec)), end[1] - dec)
        for end in (on_sky(middle + 1, middle), on_sky(middle, middle + 1))
    )
    numbers = (middle + 1.0, middle + 1.0, ra, dec, east_x, east_y, north_x, north_y)
    if not np.isfinite(numbers).all():
        return {}
    return dict(zip(WCS_KEYS, ("RA---TAN", "DEC--TAN", *numbers), strict=True))
