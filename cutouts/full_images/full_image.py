"""A difference image of a whole detector, of which no more is read than is asked for."""

import hashlib
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import CutoutRejected, InvalidRequest, NotFound
from cutouts.full_images.plain_file import plain_file
from cutouts.full_images.sky import SkyMap

_MJD_EPOCH = datetime(1858, 11, 17, tzinfo=UTC)
_JD_OF_MJD = 2400000.5
_AT_ONCE = 2**20
_SCALES = {"UTC": "utc", "UT": "utc", "GMT": "utc", "TAI": "tai", "IAT": "tai", "TT": "tt", "TDT": "tt"}
_EXPECTED = "expected a difference image in FITS (.fits, .fits.gz, .fits.fz)"


@dataclass(frozen=True)
class FullImage:
    """An open image.

    Parameters
    ----------
    extension : its name, or its number where it has none of its own; empty for a file's only image.
    sha256 : of its header and its data as they are in the file.
    sky : where its pixels are; None where its header does not tell, for which `sky_fault` is the reason.
    start_mjd : when its exposure began, UTC, as MJD-OBS, OBSJD, JD or DATE-OBS tell by the scale that TIMESYS
        names (UTC, TAI or TT); None where none does, for which `time_fault` is the reason.
    exposure_s : as EXPTIME or EXPOSURE tell.
    """

    name: str
    extension: str
    sha256: str
    width: int
    height: int
    sky: SkyMap | None
    sky_fault: str
    start_mjd: float | None
    time_fault: str
    exposure_s: float | None
    unit: Any

    def holds(self, x: float, y: float) -> bool:
        """Whether a place, counted from 0, is on a pixel of it."""
        return -0.5 <= x < self.width - 0.5 and -0.5 <= y < self.height - 0.5

    def read(self, left: int, bottom: int, side_px: int) -> NDArray[np.float32]:
        """A square part, (side, side) float32 in the image's units, NaN beyond its edges and where blank.

        Raises CutoutRejected when the file can't be read there.
        """
        plane = np.full((side_px, side_px), np.nan, np.float32)
        rows = slice(max(0, bottom), min(self.height, bottom + side_px))
        columns = slice(max(0, left), min(self.width, left + side_px))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return plane
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                found = np.asarray(self.unit.section[rows, columns], np.float32)
        except Exception as error:
            raise CutoutRejected("cut", "unreadable", f"{self.name} can't be read there: {error}") from error
        plane[rows.start - bottom : rows.stop - bottom, columns.start - left : columns.stop - left] = found
        return plane


@contextmanager
def open_full_image(path: Path, *, extension: str | None = None, max_bytes: int) -> Iterator[FullImage]:
    """Open a file's image: the only one it has, or the extension of this name or number.

    Raises NotFound for a file that is not there, InvalidRequest for what is no FITS file, unpacks to more
    than `max_bytes`, holds no image of two axes, or several of which none is named.
    """
    if not path.is_file():
        raise NotFound(f"{path}: no such file; {_EXPECTED}")
    with plain_file(path, max_bytes=max_bytes) as plain, _opened(plain, path) as units:
        yield _described(path, *_chosen(path, units, extension), plain)


def _opened(plain: Path, path: Path) -> Any:
    """The file's units; faults name the file that was asked for."""
    from astropy.io import fits

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return fits.open(plain, memmap=True, lazy_load_hdus=False)
    except Exception as error:
        raise InvalidRequest(f"{path} can't be read ({error!s:.200}); {_EXPECTED}") from error


def _chosen(path: Path, units: Any, extension: str | None) -> tuple[str, Any]:
    """What the image is called among those of its file, however it was asked for, and its unit."""
    images = every = [(n, unit) for n, unit in enumerate(units) if _is_image(unit)]
    if extension is not None:
        wanted = extension.strip().upper()
        images = [(n, unit) for n, unit in every if wanted in (str(n), unit.name.upper())]
    if len(images) == 1:
        ((n, unit),) = images
        own = sum(other.name.upper() == unit.name.upper() for _, other in every) == 1 and unit.name
        return ("" if len(every) == 1 else own or str(n)), unit
    known = ", ".join(f"{n} {u.name} {u.shape}" if u.name else f"{n} {u.shape}" for n, u in enumerate(units))
    if not images:
        of = f" {extension!r}" if extension is not None else ""
        raise InvalidRequest(f"{path} has no image{of} of two axes; it has {known}; {_EXPECTED}")
    raise InvalidRequest(
        f"{path} has {len(images)} images ({known}); say which with --extension, by name or number"
    )


def _is_image(unit: Any) -> bool:
    try:
        return bool(unit.is_image) and len(unit.shape) == 2 and min(unit.shape) > 0
    except (AttributeError, ValueError, TypeError, KeyError):
        return False


def _described(path: Path, extension: str, unit: Any, plain: Path) -> FullImage:
    height, width = unit.shape
    header = unit.header
    sky, fault = None, ""
    try:
        sky = SkyMap(header, width=width, height=height)
    except InvalidRequest as error:
        fault = str(error)
    start_mjd, time_fault = None, ""
    try:
        start_mjd = _start_mjd(header)
    except InvalidRequest as error:
        time_fault = str(error)
    exposure = next((t for key in ("EXPTIME", "EXPOSURE") if (t := _number(header, key)) is not None), None)
    return FullImage(
        path.name,
        extension,
        _sha256(plain, unit),
        width,
        height,
        sky,
        fault,
        start_mjd,
        time_fault,
        exposure if exposure is not None and exposure > 0 else None,
        unit,
    )


def _sha256(plain: Path, unit: Any) -> str:
    where = unit.fileinfo()
    left = where["datLoc"] + where["datSpan"] - where["hdrLoc"]
    seen = hashlib.sha256()
    with plain.open("rb") as file:
        file.seek(where["hdrLoc"])
        while chunk := file.read(min(left, _AT_ONCE)):
            seen.update(chunk)
            left -= len(chunk)
    return seen.hexdigest()


def _start_mjd(header: Mapping[str, Any]) -> float:
    scale = _SCALES.get(system := str(header.get("TIMESYS", "UTC")).strip().upper())
    if scale is None:
        raise InvalidRequest(f"its time is {system!r:.40} (TIMESYS); expected UTC, TAI or TT")
    return _as_utc(_told_mjd(header), scale)


def _told_mjd(header: Mapping[str, Any]) -> float:
    mjd = _number(header, "MJD-OBS")
    if mjd is not None:
        return mjd
    for key in ("OBSJD", "JD"):
        if (jd := _number(header, key)) is not None:
            return jd - _JD_OF_MJD
    try:
        return mjd_of(str(header["DATE-OBS"]))
    except (KeyError, InvalidRequest) as error:
        raise InvalidRequest(
            "it does not tell when it was exposed (MJD-OBS, OBSJD, JD, or DATE-OBS with a time)"
        ) from error


def _as_utc(mjd: float, scale: str) -> float:
    if scale == "utc":
        return mjd
    from astropy.time import Time

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of years for which no leap seconds are known yet
        return float(Time(mjd, format="mjd", scale=scale).utc.mjd)


def mjd_of(text: str) -> float:
    """The MJD of a time such as `2026-11-20T03:12:45.5` (UTC); raises InvalidRequest for anything else."""
    try:
        if "T" not in text:
            raise ValueError("no time of day")
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequest(f"a time {text!r:.60} ({error}); expected 2026-11-20T03:12:45, UTC") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _MJD_EPOCH).total_seconds() / 86400


def _number(header: Mapping[str, Any], key: str) -> float | None:
    try:
        value = float(header[key])
    except (KeyError, TypeError, ValueError):
        return None
    return value if isfinite(value) else None
