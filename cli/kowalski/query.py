"""From what a user wants of Kowalski to a filter in its language, which is MongoDB's."""

import json
from collections.abc import Sequence
from datetime import date
from math import isfinite, radians
from typing import Any

from core.errors import InvalidRequest
from core.kowalski import KowalskiArchive
from cutouts.nights import is_night

_JD_OF_ORDINAL_0 = 1721424.5  # of the midnight that begins date.fromordinal(0), were there one
_WIDEST_ARCSEC = 10 * 3600.0


def asked_filter(
    archive: KowalskiArchive,
    *,
    night: str | None = None,
    cone: Sequence[float] | None = None,
    find: str | None = None,
) -> dict[str, Any]:
    """Documents of a night (UTC), within a cone of (ra, dec, radius) in degrees and arcsec, and that a filter
    in JSON finds: all of what is given.

    Raises InvalidRequest where nothing is, or something malformed.
    """
    parts: list[dict[str, Any]] = []
    if night is not None:
        parts.append({archive.jd: _jds(night)})
    if cone is not None:
        parts.append({archive.position: _circle(*cone)})
    if find is not None:
        parts.append(_found(find))
    if not parts:
        raise InvalidRequest("nothing says which candidates; expected --night, --cone or --find, or several")
    return parts[0] if len(parts) == 1 else {"$and": parts}


def _jds(night: str) -> dict[str, float]:
    if not is_night(night):
        raise InvalidRequest(f"night {night[:40]!r}; expected a date as 20180927")
    begins = date.fromisoformat(night).toordinal() + _JD_OF_ORDINAL_0
    return {"$gte": begins, "$lt": begins + 1}


def _circle(ra: float, dec: float, arcsec: float) -> dict[str, Any]:
    in_range = 0 <= ra < 360 and -90 <= dec <= 90 and 0 < arcsec <= _WIDEST_ARCSEC
    if not in_range or not all(map(isfinite, (ra, dec, arcsec))):
        raise InvalidRequest(
            f"cone {ra:g} {dec:g} {arcsec:g}; expected 0 <= RA < 360, -90 <= DEC <= 90 degrees"
            f" and a radius of at most {_WIDEST_ARCSEC:g} arcsec"
        )
    return {"$geoWithin": {"$centerSphere": [[ra - 180, dec], radians(arcsec / 3600)]}}


def _found(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InvalidRequest(f"--find {text[:80]!r} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise InvalidRequest(
            f'--find {text[:80]!r}; expected a filter such as {{"candidate.drb": {{"$gt": 0.5}}}}'
        )
    return found
