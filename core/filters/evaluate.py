"""Whether a filter is true of one cutout."""

import operator
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from math import atan2, cos, hypot, isnan, radians, sin
from typing import Any

from core.filters.ast import (
    And,
    Comparison,
    Cone,
    Field,
    Has,
    Node,
    Not,
    OneOf,
    Operand,
    Operator,
    Or,
    Plausible,
    Value,
)
from core.filters.fields import FIELDS, Kind

_HOLDS: Mapping[Operator, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_ROUNDING_RAD = 5e-15
"""1e-9 arcsec: more than rounding makes of an angle, so that a cone's rim is inside it."""


def truth(node: Node, document: Mapping[str, Any], outcomes: Mapping[str, float | None]) -> bool | None:
    """True, false or unknown (None) of a cutout's document and its outcomes.

    `outcomes` holds by version the score, or None for a rejection; versions without an outcome are not there.
    """
    match node:
        case Comparison(operand, sign, wanted):
            value = _value(operand, document, outcomes)
            return None if value is None else _HOLDS[sign](value, wanted)
        case OneOf(operand, values):
            value = _value(operand, document, outcomes)
            return None if value is None else value in values
        case Has(operand):
            return _has(operand, document, outcomes)
        case Cone():
            return _inside(node, document)
        case Plausible(versions):
            return _decided(versions, document)
        case Not(part):
            found = truth(part, document, outcomes)
            return None if found is None else not found
        case And(parts):
            return _first(False, (truth(part, document, outcomes) for part in parts))
        case Or(parts):
            return _first(True, (truth(part, document, outcomes) for part in parts))


def _first(decisive: bool, truths: Iterable[bool | None]) -> bool | None:
    """The decisive value if one of them has it, else unknown if one is, else the other value."""
    unknown = False
    for found in truths:
        if found is decisive:
            return decisive
        unknown = unknown or found is None
    return None if unknown else not decisive


def _has(operand: Operand, document: Mapping[str, Any], outcomes: Mapping[str, float | None]) -> bool:
    if isinstance(operand, Field):
        return document.get(FIELDS[operand.name].key) is not None
    return all(version in outcomes for version in operand.versions)


def _value(
    operand: Operand, document: Mapping[str, Any], outcomes: Mapping[str, float | None]
) -> Value | None:
    if isinstance(operand, Field):
        return _of_kind(document.get(FIELDS[operand.name].key), FIELDS[operand.name].kind)
    scores = [outcomes.get(version) for version in operand.versions]
    known = [score for score in scores if score is not None]
    return max(known) if known and len(known) == len(scores) else None


def _of_kind(value: object, kind: Kind) -> Value | None:
    """A value that is of its field's kind; NaN and values of other kinds are none."""
    match value:
        case bool():
            return None
        case int() | float() if kind is Kind.NUMBER and not isnan(value):
            return value
        case datetime() if kind is Kind.TIME:
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        case str() if kind not in (Kind.NUMBER, Kind.TIME):
            return value
        case _:
            return None


def _inside(cone: Cone, document: Mapping[str, Any]) -> bool | None:
    """By the angle between unit vectors from its sine and cosine, which is exact for the smallest cones."""
    ra, dec = (_of_kind(document.get(key), Kind.NUMBER) for key in ("ra", "dec"))
    if not isinstance(ra, int | float) or not isinstance(dec, int | float):
        return None
    if not (0 <= ra <= 360 and -90 <= dec <= 90):
        return None
    a, b, turn = radians(cone.dec_deg), radians(dec), radians(ra - cone.ra_deg)
    across = hypot(cos(b) * sin(turn), cos(a) * sin(b) - sin(a) * cos(b) * cos(turn))
    along = sin(a) * sin(b) + cos(a) * cos(b) * cos(turn)
    return atan2(across, along) <= radians(cone.radius_arcsec / 3600) + _ROUNDING_RAD


def _decided(versions: tuple[str, ...], document: Mapping[str, Any]) -> bool | None:
    """The decision on record if it is on exactly these versions.

    Records of before families had members hold in `versions` all that they decided by.
    """
    decided_by = document.get("scores") or (document.get("versions") or {}).values()
    found = document.get("plausible")
    meant = {*decided_by, *document.get("not_run", ())}
    return found if isinstance(found, bool) and meant == set(versions) else None
