"""A streak's metadata: its columns as the survey names them, and their values as documents hold them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from core.errors import InvalidRequest
from core.filters.fields import FIELDS, Kind
from cutouts.names import streak_id
from cutouts.nights.position import coordinates, midpoint

_OF_THE_RECORD = ("id", "sha256", "reference", "night", "added", "last_modified")
_DERIVED = ("ra", "dec", "field", "ccdid")
COLUMNS = tuple(name for name in FIELDS if name not in (*_OF_THE_RECORD, *_DERIVED))
"""What a table may hold: the names are those of the filter language and of the documents."""

METADATA = (*COLUMNS, *_DERIVED, "midpoint_coordinates")
"""The keys that a row gives a cutout's document."""

_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_NONE = frozenset({"", "null", "none", "nan", "\\n"})
_IMAGE = re.compile(r"ztf_[0-9]{14}_([0-9]{6})_z[a-z]_c([0-9]{2})_")  # …_{field}_{filter}_c{ccd}_…
_RANGES = {"ra1": (0.0, 360.0), "ra2": (0.0, 360.0), "dec1": (-90.0, 90.0), "dec2": (-90.0, 90.0)}


@dataclass(frozen=True)
class Row:
    """A streak's metadata: its document's id, and the values by key; numbers are floats, identifiers strings.

    A value that is left empty is not there. Positions are in degrees, `midpoint_coordinates` too. `name` and
    `line` say where it is from; the line is None where it is no line of a file.
    """

    name: str
    line: int | None
    id: str
    values: Mapping[str, Any]


def read_metadata(texts: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """A streak's id and its values by key, from texts by column; columns that are not known are left out.

    Raises InvalidRequest, saying what came and what was expected.
    """
    values = {
        column: _value(column, text)
        for column, text in texts.items()
        if column in COLUMNS and text.lower() not in _NONE
    }
    missing = [column for column in ("streakid", "pid") if column not in values]
    if missing:
        raise InvalidRequest(f"{missing[0]} is empty; expected digits")
    cutout = f"strkid{values['streakid']}_pid{values['pid']}"
    if streak_id(cutout) != cutout:
        raise InvalidRequest(f"{cutout[:120]!r} is no streak id; expected 10 to 40 and 8 to 40 digits")
    return cutout, values | _derived(values)


def _value(column: str, text: str) -> float | str:
    kind = FIELDS[column].kind
    if kind is Kind.NUMBER:
        return _number(column, text)
    if kind is Kind.DIGITS and not (text.isascii() and text.isdigit()):
        raise InvalidRequest(f"{column} is {text[:80]!r}; expected digits")
    if not text.isprintable():
        raise InvalidRequest(f"{column} is {text[:80]!r}; expected a text without control characters")
    return text


def _number(column: str, text: str) -> float:
    value = float(text) if _NUMBER.fullmatch(text) else float("nan")
    if not isfinite(value):
        raise InvalidRequest(f"{column} is {text[:80]!r}; expected a finite number")
    low, high = _RANGES.get(column, (value, value))
    if not low <= value <= high:
        raise InvalidRequest(f"{column} is {text[:80]}; expected {low:g} to {high:g} degrees")
    return value


def _derived(values: Mapping[str, Any]) -> dict[str, Any]:
    """The streak's middle, and what the image's name tells of field and CCD, as far as it can be had."""
    found: dict[str, Any] = {}
    image = _IMAGE.search(str(values.get("pdiffimfilename", "")))
    if image:
        found |= {"field": float(image[1]), "ccdid": float(image[2])}
    if all(end in values for end in _RANGES):
        middle = midpoint(values["ra1"], values["dec1"], values["ra2"], values["dec2"])
        if middle is not None:
            found |= position(*middle, values)
    return found


def position(ra: float, dec: float, values: Mapping[str, Any]) -> dict[str, Any]:
    """The keys that tell a position in degrees; the exposure's times are among the values, if any are."""
    return {"ra": ra, "dec": dec, "midpoint_coordinates": coordinates(ra, dec, _epoch(values))}


def _epoch(values: Mapping[str, Any]) -> float | None:
    """MJD of the middle of the exposure."""
    if "startmjd" not in values or "endmjd" not in values:
        return None
    return float(values["startmjd"] + (values["endmjd"] - values["startmjd"]) / 2)
