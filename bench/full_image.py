"""A full difference image with streaks at known places, as another telescope's pipeline would write it."""

import io
from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from core.instrument import Instrument
from cutouts.instruments import ZTF
from cutouts.simulator.scene import SIZE_PX, Plane, Scene
from cutouts.simulator.streaks import draw_short
from cutouts.simulator.trail import Trail

SIDE_PX = 2048
WIDE = Instrument(name="wide", arcsec_per_px=1.6, fwhm_arcsec=3.2, exposure_s=30.0)
_GRID = 5  # cells a side, a streak in each at most
_SKY, _SIGMA = 41.0, 13.0  # of the image, in its own units
_SHORTEST_ARCSEC = 10.0


@dataclass(frozen=True)
class Streak:
    """A simulated streak: the place of its cell, which its middle misses by a few px, counted from 0."""

    id: str
    x: int
    y: int
    ra: float
    dec: float
    trail: Trail


def full_image(
    seed: int, *, streaks: int = 20, angle_deg: float = 25.0
) -> tuple[fits.PrimaryHDU, list[Streak]]:
    """An image of 2048 x 2048 px of 1.6 arcsec, float32, with a WCS that is turned by an angle.

    White noise and short streaks from the simulator, drawn in the image's own pixels; at most 25.
    """
    rng = np.random.default_rng(seed)
    plane = rng.standard_normal((SIDE_PX, SIDE_PX), dtype=np.float32)
    wcs = _wcs(angle_deg)
    found = []
    for n, cell in enumerate(rng.permutation(_GRID**2)[:streaks]):
        row, column = divmod(int(cell), _GRID)
        x, y = (int(204 + 410 * at + rng.integers(-60, 61)) for at in (column, row))
        trail = _draw(plane, x, y, seed=(seed, n))
        ra, dec = (float(angle) for angle in wcs.all_pix2world(x, y, 0))
        found.append(Streak(f"cand-{n:02}", x, y, ra, dec, trail))
    unit = fits.PrimaryHDU(np.float32(_SKY) + np.float32(_SIGMA) * plane, wcs.to_header())
    unit.header["DATE-OBS"] = "2026-11-20T03:12:45.000"
    unit.header["EXPTIME"] = WIDE.exposure_s
    return unit, found


def written(unit: "fits.PrimaryHDU | fits.HDUList") -> bytes:
    """The file's bytes."""
    file = io.BytesIO()
    unit.writeto(file)
    return file.getvalue()


def catalogue(streaks: list[Streak], *, on_sky: bool) -> str:
    """A CSV with an id and a place for each; pixels are counted from 1."""
    if on_sky:
        return "id,ra,dec\n" + "".join(f"{s.id},{s.ra:.7f},{s.dec:.7f}\n" for s in streaks)
    return "id,x,y\n" + "".join(f"{s.id},{s.x + 1},{s.y + 1}\n" for s in streaks)


def _draw(plane: Plane, x: int, y: int, *, seed: tuple[int, int]) -> Trail:
    native_px = WIDE.arcsec_per_px / ZTF.arcsec_per_px
    scene = Scene(
        np.zeros((SIZE_PX, SIZE_PX), np.float32),
        np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed))),
        fwhm_px=WIDE.fwhm_arcsec / WIDE.arcsec_per_px,
        exposure=1 / native_px,
        shortest_px=_SHORTEST_ARCSEC / WIDE.arcsec_per_px,
    )
    trail = draw_short(scene)
    half = SIZE_PX // 2
    plane[y - half : y + half + 1, x - half : x + half + 1] += scene.streak
    return trail


def _wcs(angle_deg: float) -> WCS:
    wcs = WCS(naxis=2)
    scale, angle = WIDE.arcsec_per_px / 3600, np.deg2rad(angle_deg)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix = [150.1, 22.2], [1024.5, 1024.5]
    cos, sin = np.cos(angle), np.sin(angle)
    wcs.wcs.cd = scale * np.array([[-cos, sin], [sin, cos]])
    return wcs
