"""The pipe-separated table of a night's streaks: two header lines, a line per streak, one footer line."""

import numpy as np

from cutouts.instruments import ZTF
from cutouts.nights import write_table
from cutouts.simulator.names import Exposure
from cutouts.simulator.truth import Truth

_IDENTITY = "jd fid pid diffmaglim pdiffimfilename programpi programid streakid strid"
_FIT = "ra1 dec1 ra2 dec2 startmjd endmjd flux bg length sigma lengtherr sigmaerr paerr bgerr fitmagerr"
_QUALITY = "apsnr apmagerr dmag dmagerr chi2 numfit prob ra1err dec1err corr1 ra2err dec2err corr2"
COLUMNS = tuple(f"{_IDENTITY} {_FIT} {_QUALITY}".split())


def streak_row(
    exposure: Exposure,
    index: int,
    truth: Truth,
    rng: np.random.Generator,
    *,
    exposure_s: float = ZTF.exposure_s,
) -> dict[str, str]:
    """A streak's line by column; made up, but for identifiers, time, and a true length and angle.

    Lengths are in arcsec, positions in degrees, as in the survey's own files.
    """
    length_px = truth.length_px or float(np.exp(rng.uniform(np.log(8), np.log(80))))
    angle = np.deg2rad(rng.uniform(0, 180) if truth.angle_deg is None else truth.angle_deg)
    length = min(length_px, 220.0) * ZTF.arcsec_per_px
    ra, dec = (37.0 * exposure.channel + exposure.fraction * 0.01) % 360, -20 + 1.4 * (exposure.channel % 64)
    ra, dec = ra + rng.uniform(-0.4, 0.4), dec + rng.uniform(-0.4, 0.4)
    half_ra = length / 7200 * np.cos(angle) / np.cos(np.deg2rad(dec))
    half_dec = length / 7200 * np.sin(angle)
    mjd = exposure.jd - 2400000.5
    peak = truth.peak_sigma or rng.uniform(1.5, 10)
    values: dict[str, float | str] = {
        "jd": f"{exposure.jd:.7f}",
        "fid": str(1 + exposure.fraction % 2),
        "pid": exposure.pid,
        "diffmaglim": rng.uniform(19.5, 21),
        "pdiffimfilename": f"ztf_{exposure.pid}_scimrefdiffimg.fits",
        "programpi": "Simulated",
        "programid": "1",
        "streakid": exposure.streakid(index),
        "strid": str(index),
        "ra1": f"{(ra - half_ra) % 360:.7f}",
        "dec1": f"{dec - half_dec:.7f}",
        "ra2": f"{(ra + half_ra) % 360:.7f}",
        "dec2": f"{dec + half_dec:.7f}",
        "startmjd": f"{mjd:.8f}",
        "endmjd": f"{mjd + exposure_s / 86400:.8f}",
        "flux": peak * length * rng.uniform(8, 12),
        "bg": rng.normal(0, 1),
        "length": length,
        "sigma": rng.uniform(0.8, 1.5),
    }
    errors = {name: abs(rng.normal(0, 0.3)) for name in COLUMNS if name not in values}
    errors |= {"apsnr": peak * 2.5, "numfit": float(rng.integers(20, 300)), "prob": rng.uniform(0, 1)}
    return {name: _told({**errors, **values}[name]) for name in COLUMNS}


def table(rows: list[dict[str, str]]) -> str:
    """The file's text."""
    return write_table(COLUMNS, rows)


def _told(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4f}"
