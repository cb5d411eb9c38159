"""What MongoDB can do of a filter: find a little more than the filter is true of, by what cutouts hold."""

from collections.abc import Mapping, Sequence
from math import asin, cos, degrees, radians, sin
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
    Score,
)
from core.filters.bound import BoundFilter
from core.filters.fields import FIELDS, Kind
from storage.database import Document

_SIGNS: Mapping[Operator, str] = {
    "=": "$eq",
    "!=": "$ne",
    "<": "$lt",
    "<=": "$lte",
    ">": "$gt",
    ">=": "$gte",
}
_OPPOSITE: Mapping[Operator, Operator] = {"=": "!=", "!=": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_TYPES = {Kind.NUMBER: "number", Kind.TIME: "date"}
_EVERYTHING: Document = {}
_MARGIN_DEG = 1e-6


def query(bound: BoundFilter) -> Document:
    """A query on `cutouts` that finds every document that the filter may match, and perhaps others.

    Ask `BoundFilter.matches` of each that it finds. Only literals of the filter's tree are in it. Scores are
    looked up in a document's production fields, where it has them: a score on record never changes.
    """
    return dict(_true_of(bound.root))


def _true_of(node: Node) -> Document:
    """Finds all that a node may be true of."""
    match node:
        case Comparison(operand, operator, value):
            return _compared(operand, operator, value)
        case OneOf(Field(name), values):
            return {FIELDS[name].key: {"$in": list(values)}}
        case OneOf(Score(_, (version,)), values):
            return {f"scores.{version}": {"$in": [*values, None]}}
        case Has(Field(name)):
            return {FIELDS[name].key: {"$exists": True}}
        case Cone():
            return _box(node)
        case Plausible():
            return {"plausible": True}
        case Not(part):
            return _false_of(part)
        case And(parts):
            return _all([_true_of(part) for part in parts])
        case Or(parts):
            return _any([_true_of(part) for part in parts])
        case _:
            return _EVERYTHING


def _false_of(node: Node) -> Document:
    """Finds all that a node may be false of, which is not where it is unknown."""
    match node:
        case Comparison(operand, operator, value):
            return _compared(operand, _OPPOSITE[operator], value)
        case OneOf(Field(name), values):
            return {FIELDS[name].key: {"$nin": list(values), "$type": _type(name)}}
        case OneOf(Score(_, (version,)), values):
            return {f"scores.{version}": {"$nin": list(values)}}
        case Has(Field(name)):
            return {FIELDS[name].key: None}
        case Has(Score(_, (version,))):
            return {f"scores.{version}": {"$exists": False}}
        case Plausible():
            return {"plausible": False}
        case Not(part):
            return _true_of(part)
        case And(parts):
            return _any([_false_of(part) for part in parts])
        case Or(parts):
            return _all([_false_of(part) for part in parts])
        case _:
            return _EVERYTHING


def _compared(operand: Operand, operator: Operator, value: Any) -> Document:
    """A field's values; a score that holds or that the document does not have."""
    if isinstance(operand, Field):
        also = {"$type": _type(operand.name)} if operator == "!=" else {}
        return {FIELDS[operand.name].key: {_SIGNS[operator]: value} | also}
    if len(operand.versions) > 1:
        return _EVERYTHING
    holds = {"$in": [value, None]} if operator == "=" else {"$not": {_SIGNS[_OPPOSITE[operator]]: value}}
    return {f"scores.{operand.versions[0]}": holds}


def _box(cone: Cone) -> Document:
    """The ranges of dec and ra that a cone reaches: over 0 h they are two, over a pole all of ra."""
    radius = cone.radius_arcsec / 3600 + _MARGIN_DEG
    inside: Document = {"dec": {"$gte": cone.dec_deg - radius, "$lte": cone.dec_deg + radius}}
    if abs(cone.dec_deg) + radius >= 90:
        return inside
    reach = degrees(asin(min(1.0, sin(radians(radius)) / cos(radians(cone.dec_deg))))) + _MARGIN_DEG
    low, high = cone.ra_deg - reach, cone.ra_deg + reach
    if low >= 0 and high < 360:
        return inside | {"ra": {"$gte": low, "$lte": high}}
    return inside | {"$or": [{"ra": {"$gte": low % 360}}, {"ra": {"$lte": high % 360}}]}


def _type(name: str) -> str:
    return _TYPES.get(FIELDS[name].kind, "string")


def _all(queries: Sequence[Document]) -> Document:
    narrowing = [found for found in queries if found != _EVERYTHING]
    if len(narrowing) < 2:
        return narrowing[0] if narrowing else _EVERYTHING
    return {"$and": narrowing}


def _any(queries: Sequence[Document]) -> Document:
    return {"$or": list(queries)} if all(queries) else _EVERYTHING
