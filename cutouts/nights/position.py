"""Where a streak's middle is, in the forms that the predecessors' documents give it."""

from math import asin, atan2, cos, degrees, hypot, radians, sin
from typing import Any

_SHORTEST = 1e-6  # of the sum of two unit vectors: ends that are opposite have no middle


def midpoint(ra1: float, dec1: float, ra2: float, dec2: float) -> tuple[float, float] | None:
    """(ra, dec) in degrees, 0 <= ra < 360, of the middle of the great circle between two ends.

    None where the ends are on opposite sides of the sky.
    """
    ends = [(radians(ra), radians(dec)) for ra, dec in ((ra1, dec1), (ra2, dec2))]
    x = sum(cos(dec) * cos(ra) for ra, dec in ends)
    y = sum(cos(dec) * sin(ra) for ra, dec in ends)
    z = sum(sin(dec) for _, dec in ends)
    length = hypot(x, y, z)
    if length < _SHORTEST:
        return None
    ra = degrees(atan2(y, x)) % 360
    return (0.0 if ra >= 360 else ra), degrees(asin(max(-1.0, min(1.0, z / length))))


def coordinates(ra: float, dec: float, epoch: float | None) -> dict[str, Any]:
    """`midpoint_coordinates` of a document: a position in degrees, in each form; the epoch is a MJD.

    GeoJSON's longitude is ra - 180, which is -180 to 180 as MongoDB wants it.
    """
    return {
        "epoch": epoch,
        "radec_str": [_sexagesimal(ra / 15, 4), ("-" if dec < 0 else "") + _sexagesimal(abs(dec), 3)],
        "radec_geojson": {"type": "Point", "coordinates": [ra - 180, dec]},
        "radec_rad": [radians(ra), radians(dec)],
        "radec_deg": [ra, dec],
    }


def _sexagesimal(value: float, digits: int) -> str:
    """`dd:mm:ss.sss`, rounded as a whole, so that no part is ever 60."""
    scale = 10**digits
    minutes, units = divmod(round(value * 3600 * scale), 60 * scale)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{units // scale:02d}.{units % scale:0{digits}d}"
