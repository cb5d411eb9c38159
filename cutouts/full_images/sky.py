"""Where the pixels of an image are on the sky."""

import warnings
from math import cos, hypot, isfinite, radians
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidRequest

SQUARE = 0.02  # how far the two axes' scales may be apart
_SAME_EQUINOX = 0.001  # years, in which precession moves a position by 0.05 arcsec
_SAME_ARCSEC = 1.0  # a position that comes back this far away was not found


class SkyMap:
    """An image's WCS. Pixels are counted from 0, x then y; positions are in degrees.

    Raises InvalidRequest, saying why, for a header whose WCS is absent, broken, not of the sky, not
    equatorial of 2000, or whose pixels in the middle are not square.
    """

    def __init__(self, header: Any, *, width: int, height: int) -> None:
        from astropy.wcs import WCS

        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                self._wcs = WCS(header)
                celestial = bool(self._wcs.has_celestial) and self._wcs.naxis == 2
                equatorial = celestial and _is_equatorial(self._wcs.wcs)
                self.scale = self._scale_at((width - 1) / 2, (height - 1) / 2) if equatorial else 0.0
        except Exception as error:
            raise InvalidRequest(f"its WCS is broken ({error!s:.300})") from error
        if not celestial:
            raise InvalidRequest("it has no WCS of the sky (CTYPE, CRVAL, CRPIX, CD)")
        if not equatorial:
            raise InvalidRequest(
                f"its WCS gives {_told(self._wcs.wcs)}; expected RA and DEC, ICRS or FK5 of 2000"
            )

    def to_sky(self, x: float, y: float) -> tuple[float, float] | None:
        """(ra, dec), 0 <= ra < 360, of a place in the image; None where it is not on the sky."""
        found = self._at(np.array([[x, y]]))[0]
        return (float(found[0]) % 360, float(found[1])) if np.isfinite(found).all() else None

    def to_pixels(self, ra: float, dec: float) -> tuple[float, float] | None:
        """(x, y) of a position; None where the image's projection does not reach it."""
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                x, y = (float(value) for value in self._wcs.all_world2pix(ra, dec, 0, ra_dec_order=True))
        except Exception:  # noqa: BLE001  wcslib and astropy have a dozen of them, all of which mean: not there
            return None
        back = self.to_sky(x, y) if isfinite(x) and isfinite(y) else None
        if back is None:
            return None
        east, north = _offsets(np.array(back), ra, dec)
        return (x, y) if hypot(east, north) * 3600 < _SAME_ARCSEC else None

    def axes_at(self, x: float, y: float, *, step_px: float = 1.0) -> NDArray[np.float64] | None:
        """How far east and north (rows, degrees) a pixel to the right and one up lead, (2, 2), at a place."""
        middle, right, up = self._at(np.array([[x, y], [x + step_px, y], [x, y + step_px]]))
        if not np.isfinite([middle, right, up]).all():
            return None
        columns = [_offsets(end, *middle) for end in (right, up)]
        return np.array(columns, np.float64).T / step_px

    def _scale_at(self, x: float, y: float) -> float:
        """Arcsec per pixel; raises InvalidRequest where that is nonsense or differs between the axes."""
        axes = self.axes_at(x, y)
        if axes is None:
            raise InvalidRequest("the middle of the image is nowhere on the sky")
        across, up = (float(np.hypot(*axes[:, n])) * 3600 for n in (0, 1))
        area = abs(float(np.linalg.det(axes))) * 3600**2
        if (
            not min(across, up) > 1e-6
            or abs(across / up - 1) > SQUARE
            or abs(area / (across * up) - 1) > SQUARE
        ):
            raise InvalidRequest(
                f"pixels of {across:.4g} x {up:.4g} arcsec and {area:.4g} arcsec^2; expected squares"
            )
        return (across + up) / 2

    def _at(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return np.asarray(self._wcs.all_pix2world(places, 0, ra_dec_order=True), np.float64)


def _is_equatorial(wcs: Any) -> bool:
    """Whether positions are what this service calls ra and dec, to 0.1 arcsec.

    Where RADESYS is absent, wcslib has set what the FITS standard infers from EQUINOX (Calabretta & Greisen
    2002, section 3.1): ICRS without one, FK4 before 1984, else FK5.
    """
    frame = wcs.radesys.strip().upper()
    return (wcs.lngtyp, wcs.lattyp) == ("RA", "DEC") and (
        frame == "ICRS" or (frame == "FK5" and abs(wcs.equinox - 2000) < _SAME_EQUINOX)
    )


def _told(wcs: Any) -> str:
    equinox = f" of {wcs.equinox:g}" if isfinite(wcs.equinox) else ""
    return f"{wcs.lngtyp.strip()} and {wcs.lattyp.strip()}, {wcs.radesys.strip() or 'no RADESYS'}{equinox}"


def _offsets(end: NDArray[np.float64], ra: float, dec: float) -> tuple[float, float]:
    """Degrees to the east and to the north of a position, which is near."""
    east = (float(end[0]) - ra + 180) % 360 - 180
    return east * cos(radians(dec)), float(end[1]) - dec
