"""The part of MongoDB's language in which the predecessors' scripts ask for streaks, checked word by word.

What comes out holds known fields, known operators and plain values alone: nothing that is sent is evaluated.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite, pi
from typing import Any

from bson import json_util

from core.errors import InvalidRequest
from core.filters.fields import FIELDS, Kind
from storage.database import Document

POSITION = "midpoint_coordinates.radec_geojson"
"""What $geoWithin is asked of: GeoJSON, whose longitude is ra - 180."""
MOST_LISTED = 10_000
MOST_CONDITIONS = 2000
DEEPEST = 20
_LOGIC = ("$and", "$or", "$nor")
_COMPARISONS = ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte")
_LISTS = ("$in", "$nin")
_OPERATORS = (*_COMPARISONS, *_LISTS, "$exists", "$not", "$geoWithin")
_EXTENDED = frozenset({"$date", "$numberInt", "$numberLong", "$numberDouble"})
_OPTIONS = json_util.JSONOptions(tz_aware=True)
_KINDS = {"_id" if name == "id" else name: known.kind for name, known in FIELDS.items()} | {
    "instrument": Kind.TEXT,
    "metadata_from": Kind.TEXT,
}
_WITHIN = re.compile(
    r"midpoint_coordinates(\.(epoch|(radec_str|radec_rad|radec_deg)(\.[01])?"
    r"|radec_geojson(\.(type|coordinates(\.[01])?))?))?"
    r"|(ades|versions|scores)(\.[A-Za-z0-9_@-]{1,64}){0,12}"
)
_LARGEST = 2**63


def checked_filter(given: Mapping[str, Any], families: Collection[str]) -> Document:
    """A query on the documents of streaks; raises InvalidRequest, naming what it does not know.

    `families` are the fields that hold scores, such as rb.
    """
    return _Filter(frozenset(families)).document(given, DEEPEST)


def checked_projection(given: Mapping[str, Any], families: Collection[str]) -> Document:
    """A projection that includes known fields, or excludes them; raises InvalidRequest."""
    found: dict[str, bool] = {}
    for name, value in given.items():
        _refuse_unknown(name, families)
        if isinstance(value, bool) or (isinstance(value, int | float) and value in (0, 1)):
            found[name] = bool(value)
        else:
            raise InvalidRequest(f"projection of {name} is {_shown(value)}; expected 1 or 0")
    if len({value for name, value in found.items() if name != "_id"}) > 1:
        raise InvalidRequest("a projection includes and excludes fields; expected either, but for _id")
    for name in found:
        outer = next((other for other in found if name.startswith(f"{other}.")), None)
        if outer is not None:
            raise InvalidRequest(
                f"a projection names {name} and {outer}, which holds it; expected one of them"
            )
    return dict(found)


@dataclass
class _Filter:
    families: frozenset[str]
    conditions: int = field(default=0, init=False)

    def document(self, given: Any, deeper: int) -> Document:
        """Conditions that are all to be true."""
        if not isinstance(given, Mapping):
            raise InvalidRequest(
                f"filter {_shown(given)}; expected an object such as {{'jd': {{'$gt': 2458428}}}}"
            )
        if deeper == 0:
            raise InvalidRequest(f"a filter of over {DEEPEST} levels; expected fewer")
        found: Document = {}
        for name, value in given.items():
            self.conditions += 1
            if self.conditions > MOST_CONDITIONS:
                raise InvalidRequest(f"a filter of over {MOST_CONDITIONS} conditions; expected fewer")
            if name in _LOGIC:
                found[name] = self._parts(name, value, deeper - 1)
            elif name.startswith("$"):
                raise InvalidRequest(f"operator {name[:40]!r}; expected a field, or {', '.join(_LOGIC)}")
            else:
                _refuse_unknown(name, self.families)
                found[name] = self._condition(name, value, deeper - 1)
        return found

    def _parts(self, operator: str, given: Any, deeper: int) -> list[Document]:
        if not isinstance(given, list) or not given:
            raise InvalidRequest(f"{operator} of {_shown(given)}; expected a list of filters")
        return [self.document(part, deeper) for part in given]

    def _condition(self, name: str, given: Any, deeper: int) -> Any:
        if not isinstance(given, Mapping) or _is_extended(given):
            return self._value(name, given)
        if deeper == 0:
            raise InvalidRequest(f"a filter of over {DEEPEST} levels; expected fewer")
        if not given or not all(operator.startswith("$") for operator in given):
            raise InvalidRequest(f"{name} is {_shown(given)}; expected a value, or operators such as $gt")
        return {
            operator: self._operand(name, operator, value, deeper - 1) for operator, value in given.items()
        }

    def _operand(self, name: str, operator: str, given: Any, deeper: int) -> Any:
        if operator in _COMPARISONS:
            return self._value(name, given)
        if operator in _LISTS:
            if not isinstance(given, list) or len(given) > MOST_LISTED:
                raise InvalidRequest(f"{operator} of {name}: expected a list of at most {MOST_LISTED} values")
            return [self._value(name, value) for value in given]
        if operator == "$exists" and (isinstance(given, bool) or given in (0, 1)):
            return bool(given)
        if operator == "$not" and isinstance(given, Mapping) and not _is_extended(given):
            return self._condition(name, given, deeper)
        if operator == "$geoWithin":
            return _region(name, given)
        if operator in _OPERATORS:
            raise InvalidRequest(
                f"{operator} of {name} is {_shown(given)}; expected true or false, or operators for $not"
            )
        raise InvalidRequest(f"operator {operator[:40]!r} of {name}; expected one of {', '.join(_OPERATORS)}")

    def _value(self, name: str, given: Any) -> Any:
        value = _plain(given)
        if value is None:
            return None
        if name == "plausible":
            return _decision(value)
        kind = Kind.NUMBER if name in self.families else _KINDS.get(name)
        if kind is None:
            return _any_of(name, value, (_number, _text))
        return _any_of(name, value, _READERS[kind], expected=_EXPECTED.get(kind, kind.expected))


def _refuse_unknown(name: str, families: Collection[str]) -> None:
    if name in _KINDS or name in families or name == "plausible" or _WITHIN.fullmatch(name):
        return
    known = ", ".join(
        [*_KINDS, *sorted(families), "plausible", "midpoint_coordinates", "ades", "versions", "scores"]
    )
    raise InvalidRequest(f"field {name[:80]!r} is not known; expected one of {known}")


def _is_extended(given: Mapping[str, Any]) -> bool:
    """Whether this is a value in extended JSON, such as {"$date": …}."""
    return len(given) == 1 and not _EXTENDED.isdisjoint(given)


def _plain(given: Any) -> Any:
    """A value out of extended JSON; what is plain as it is."""
    if not isinstance(given, Mapping) or not _is_extended(given):
        return given
    try:
        return json_util.object_hook(dict(given), _OPTIONS)
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidRequest(f"{_shown(given)} can't be read: {error}; expected extended JSON") from error


def _any_of(name: str, value: Any, readers: Collection[Any], *, expected: str = "a number or a text") -> Any:
    for read in readers:
        found = read(value)
        if found is not None:
            return found
    raise InvalidRequest(f"{name} is compared with {_shown(value)}; expected {expected}")


def _number(value: Any) -> float | int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isfinite(value) and abs(value) < _LARGEST else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and _is_encodable(value) else None


def _is_encodable(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _digits(value: Any) -> str | None:
    """Names of digits are texts on record; the predecessors' scripts have them as numbers, too."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**40:
        return str(value)
    return _text(value)


def _time(value: Any) -> datetime | None:
    return value if isinstance(value, datetime) else None


_READERS: Mapping[Kind, tuple[Any, ...]] = {
    Kind.TEXT: (_text,),
    Kind.DIGITS: (_digits,),
    Kind.NIGHT: (_digits,),
    Kind.NUMBER: (_number,),
    Kind.TIME: (_time,),
}
_EXPECTED = {
    Kind.TEXT: "a text",
    Kind.NIGHT: "a night such as 20180301",
    Kind.TIME: 'a time such as {"$date": "2018-03-01T12:30:00Z"}',
}


def _decision(value: Any) -> bool:
    """On record `plausible` is true or false; the predecessors' was 1 or 0."""
    if isinstance(value, bool | int | float) and value in (0, 1):
        return bool(value)
    raise InvalidRequest(f"plausible is compared with {_shown(value)}; expected 1 or 0")


def _region(name: str, given: Any) -> Document:
    if name != POSITION:
        raise InvalidRequest(f"$geoWithin of {name}; expected {POSITION}")
    match given:
        case {"$centerSphere": [[lon, lat], radius], **rest} if not rest:
            if _is_position(lon, lat) and _number(radius) is not None and 0 <= radius <= pi:
                return {"$centerSphere": [[lon, lat], radius]}
        case {
            "$geometry": {"type": "Polygon" | "MultiPolygon" as kind, "coordinates": list(shape), **rest},
            **more,
        }:
            if not rest and not more and _is_shape(shape, 2 if kind == "Polygon" else 3):
                return {"$geometry": {"type": kind, "coordinates": shape}}
    raise InvalidRequest(
        f"$geoWithin of {_shown(given)}; expected $centerSphere of [[ra - 180, dec], radius in radians], or "
        "$geometry of a Polygon or MultiPolygon of [ra - 180, dec] in degrees"
    )


def _is_shape(shape: Any, levels: int) -> bool:
    """Whether these are lists in lists of positions; whether they enclose anything MongoDB says."""
    if not isinstance(shape, list) or not 0 < len(shape) <= MOST_LISTED:
        return False
    if levels == 0:
        return len(shape) == 2 and _is_position(*shape)
    return all(_is_shape(part, levels - 1) for part in shape)


def _is_position(lon: Any, lat: Any) -> bool:
    numbers = _number(lon) is not None and _number(lat) is not None
    return numbers and abs(lon) <= 180 and abs(lat) <= 90


def _shown(value: Any) -> str:
    return repr(value)[:80]
