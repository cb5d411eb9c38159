"""Small FITS files, written by astropy as any telescope's pipeline would."""

import gzip
import io
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

Array = NDArray[Any]


def noise(
    seed: int = 0, *, height: int = 157, width: int = 157, sigma: float = 7.0, sky: float = 3.0
) -> Array:
    """(h, w) float32 of white noise around a level, as a difference image has."""
    rng = np.random.default_rng(seed)
    return np.asarray(sky + sigma * rng.standard_normal((height, width)), np.float32)


def streak(plane: Array, *, peak: float, length_px: float = 30.0, sigma_px: float = 1.0) -> Array:
    """The plane with a horizontal streak in its middle, of this peak in the plane's units."""
    height, width = plane.shape
    y, x = np.mgrid[:height, :width]
    across, along = y - height // 2, np.clip(np.abs(x - width // 2) - length_px / 2, 0, None)
    lit = peak * np.exp(-(across**2 + along**2) / (2 * sigma_px**2))
    return np.asarray(plane + lit, np.float32)


def fits_file(plane: Array, **keywords: object) -> bytes:
    """A file whose primary unit is this image; keywords go to its header."""
    unit = fits.PrimaryHDU(plane)
    unit.header.update(keywords)
    return _written(fits.HDUList([unit]))


def zipped(data: bytes) -> bytes:
    """As `.fits.gz`."""
    return gzip.compress(data, mtime=0)


def tiled(plane: Array, compression: str = "RICE_1", **options: object) -> bytes:
    """As `.fits.fz`, the image in the first extension."""
    unit = fits.CompImageHDU(plane, compression_type=compression, **options)
    return _written(fits.HDUList([fits.PrimaryHDU(), unit]))


def _written(units: "fits.HDUList") -> bytes:
    file = io.BytesIO()
    units.writeto(file)
    return file.getvalue()
