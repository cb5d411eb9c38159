"""A streak as optical observations: those that its survey measured, or else its middle."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from core.ades.fields import OPTICAL, checked
from core.errors import InvalidRequest
from core.station import Station

_MJD_0 = datetime(1858, 11, 17, tzinfo=UTC)
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LONGEST_ID = 35
_OURS = ("trkSub", "obsSubID", "mode", "stn", "remarks")
"""What a survey's own record does not decide."""


@dataclass(frozen=True)
class Observation:
    """One `optical` element: texts by field, in the order of the standard and of its form."""

    values: Mapping[str, str]


def observations(cutout: Mapping[str, Any], station: Station) -> list[Observation]:
    """What a cutout's document tells of a streak that was accepted.

    Where the survey's ADES came with it, its measurements, and else the middle of the trail at the middle of
    the exposure: which of the two ends was first, one streak does not tell. Raises InvalidRequest, saying
    what is missing, for one that can't be reported.
    """
    measured = list(_measured(cutout.get("ades"))) or [_middle(cutout)]
    ours = {
        "trkSub": tracklet(str(cutout["_id"])),
        "obsSubID": _own_id(cutout),
        "mode": station.mode,
        "stn": station.mpc_code or "",
        "remarks": _remarks(cutout),
    }
    catalogue = {"astCat": station.astrometric_catalogue or ""}
    return [Observation(checked(catalogue | values | ours)) for values in measured]


def tracklet(cutout: str) -> str:
    """The 8 characters that name a streak in reports: of its id alone, the same in every report."""
    number = int.from_bytes(hashlib.sha256(cutout.encode()).digest()[:8])
    text = ""
    for _ in range(7):
        number, digit = divmod(number, len(_DIGITS))
        text += _DIGITS[digit]
    return f"S{text}"


def _measured(ades: Any) -> Iterator[dict[str, str]]:
    """The optical observations of a survey's ADES document, whose elements are nested dicts."""
    blocks = ades.get("obsBlock") if isinstance(ades, Mapping) else None
    for block in blocks if isinstance(blocks, list) else [blocks]:
        data = block.get("obsData") if isinstance(block, Mapping) else None
        found = data.get("optical") if isinstance(data, Mapping) else None
        for optical in found if isinstance(found, list) else [found]:
            if isinstance(optical, Mapping):
                yield {
                    name: str(value)
                    for name, value in optical.items()
                    if name in OPTICAL and name not in _OURS and value is not None
                }


def _middle(cutout: Mapping[str, Any]) -> dict[str, str]:
    lacking = [name for name in ("ra", "dec", "startmjd", "endmjd") if not _is_number(cutout.get(name))]
    if lacking:
        raise InvalidRequest(f"its metadata have no {', '.join(lacking)}")
    begin, end = float(cutout["startmjd"]), float(cutout["endmjd"])
    if not 0 < begin < end < begin + 1:
        raise InvalidRequest(f"its exposure is from {begin} to {end} (MJD)")
    at = _MJD_0 + timedelta(days=begin + (end - begin) / 2)
    return {
        "obsTime": f"{at + timedelta(microseconds=500):%Y-%m-%dT%H:%M:%S.%f}"[:23] + "Z",
        "ra": f"{round(float(cutout['ra']), 7) % 360:.7f}",
        "dec": f"{float(cutout['dec']):.7f}",
        "exp": f"{(end - begin) * 86_400:.1f}",
    }


def _own_id(cutout: Mapping[str, Any]) -> str:
    """The id by which the record has it, or as much of it as the standard has room for."""
    whole = str(cutout["_id"])
    return whole if len(whole) <= _LONGEST_ID else str(cutout.get("streakid") or whole)[:_LONGEST_ID]


def _remarks(cutout: Mapping[str, Any]) -> str:
    versions: Mapping[str, str] = cutout.get("versions") or {}
    scores = [f"{v} {cutout[family]:.3f}" for family, v in versions.items() if _is_number(cutout.get(family))]
    length = [f"trail {cutout['length']:.1f} arcsec"] if _is_number(cutout.get("length")) else []
    return "; ".join([*length, *scores])[:300] or "streak"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
