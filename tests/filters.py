"""Random filters and cutouts, and a naive evaluation of the ones on the others."""

import random
from datetime import UTC, datetime, timedelta
from math import asin, cos, degrees, nan, radians, sin, sqrt
from typing import Any, get_args

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
    Value,
)
from core.filters.fields import FIELDS, Kind

PRODUCTION = {"rb": "rb@2", "sl": "sl@1"}
NIGHTS = ("20180228", "20180301", "20180302")
TIMES = tuple(datetime(2018, 3, 1, tzinfo=UTC) + timedelta(hours=h, milliseconds=h) for h in range(0, 72, 9))
TEXTS = ("a", "it's", 'say "a"', "$where", "{'$gt': 1}", "\u2603", "", " ")
DIGITS = ("007", "12345678901234567890", "5")
NUMBERS = (0.0, -1.5, 2.0, 1e-7, 1e22, 0.5, 2458178.5)
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
VERSIONS = ("rb@1", "rb@2", "rb@3", "sl@1")
_VALUES: dict[Kind, tuple[Value, ...]] = {
    Kind.TEXT: TEXTS,
    Kind.DIGITS: DIGITS,
    Kind.NIGHT: NIGHTS,
    Kind.TIME: TIMES,
    Kind.NUMBER: NUMBERS,
}
_ASKED = ("id", "reference", "night", "added", "streakid", "jd", "ra", "dec")


def random_node(rng: random.Random, *, depth: int) -> Node:
    """A tree as the parser makes it: no And in an And, no set of times."""
    if depth <= 1 or rng.random() < 0.2:
        return _leaf(rng)
    kind = rng.choice((Not, And, Or))
    if kind is Not:
        return Not(random_node(rng, depth=depth - 1))
    parts = [random_node(rng, depth=depth - 1) for _ in range(rng.randint(2, 3))]
    flat = [
        p
        for part in parts
        for p in (part.parts if isinstance(part, And | Or) and type(part) is kind else (part,))
    ]
    return And(tuple(flat)) if kind is And else Or(tuple(flat))


def random_cutout(rng: random.Random, name: str) -> tuple[dict[str, Any], dict[str, float | None]]:
    """A document, whose fields may be missing or of any type, and its outcomes by version."""
    document: dict[str, Any] = {"_id": name}
    for field in _ASKED[1:]:
        odd = (None, nan, True, "5", 5, [2.0, 7.0], {"$gt": 1}, TIMES[0])
        values = odd if rng.random() < 0.15 else _VALUES[FIELDS[field].kind]
        if rng.random() < 0.85:
            document[field] = rng.choice(values)
    if rng.random() < 0.8:
        document |= random_position(rng)
    outcomes: dict[str, float | None] = {
        version: rng.choice((*SHARES, None)) for version in VERSIONS if rng.random() < 0.7
    }
    decided = rng.choice((("rb@1", "sl@1"), ("rb@2", "sl@1"), ("rb@2", "rb@3", "sl@1")))
    scores = {version: score for version in decided if (score := outcomes.get(version)) is not None}
    if len(scores) == len(decided):
        document |= {"plausible": rng.choice((True, False, None))}
        document["versions"] = {version.split("@")[0]: version for version in decided}
        if len(decided) > 2 or rng.random() < 0.7:
            document["scores"] = scores
    return document, outcomes


def random_position(rng: random.Random) -> dict[str, float]:
    """Often near the poles or 0 h."""
    ra = rng.choice((0.0, 360.0, 359.9999, 0.0001, rng.uniform(0, 360)))
    dec = rng.choice((90.0, -90.0, 89.9995, -89.9995, 0.0, rng.uniform(-90, 90)))
    return {"ra": ra, "dec": dec}


def random_cone(rng: random.Random) -> Cone:
    position = random_position(rng)
    radius = rng.choice((0.5, 3.0, 36.0, 36_000.0, 324_001.0, 640_000.0))
    return Cone(position["ra"], position["dec"], radius)


def naive(node: Node, document: dict[str, Any], outcomes: dict[str, float | None]) -> float | None:
    """1, 0 or None for unknown: and is the least, or the greatest, with unknown in the middle."""
    if isinstance(node, Not):
        part = naive(node.part, document, outcomes)
        return None if part is None else 1 - part
    if isinstance(node, And | Or):
        ranks = [0.5 if (t := naive(p, document, outcomes)) is None else t for p in node.parts]
        rank = min(ranks) if isinstance(node, And) else max(ranks)
        return None if rank == 0.5 else rank
    if isinstance(node, Has):
        if isinstance(node.operand, Score):
            return float(set(node.operand.versions) <= set(outcomes))
        return float(document.get(FIELDS[node.operand.name].key) is not None)
    if isinstance(node, Plausible):
        decided = set(document.get("scores", document.get("versions", {}).values()))
        if decided != set(node.versions) or document["plausible"] is None:
            return None
        return float(document["plausible"])
    if isinstance(node, Cone):
        return _in_cone(node, document)
    value = _value(node.operand, document, outcomes)
    if value is None:
        return None
    if isinstance(node, OneOf):
        return float(any(value == wanted for wanted in node.values))
    sign = (value > node.value) - (value < node.value)
    return float(
        sign in {"=": (0,), "!=": (-1, 1), "<": (-1,), "<=": (-1, 0), ">": (1,), ">=": (0, 1)}[node.operator]
    )


def _leaf(rng: random.Random) -> Node:
    kind = rng.randint(0, 5)
    operand = _operand(rng)
    if kind == 0:
        return random_cone(rng)
    if kind == 1:
        return Has(operand)
    if kind == 2:
        return rng.choice((Plausible(), Plausible(("rb@1", "sl@1"))))
    field = FIELDS[operand.name].kind if isinstance(operand, Field) else Kind.NUMBER
    values = SHARES if isinstance(operand, Score) else _VALUES[field]
    if kind == 3 and field is not Kind.TIME:
        return OneOf(operand, tuple(rng.choices(values, k=rng.randint(1, 3))))
    signs: tuple[Operator, ...] = get_args(Operator) if field.is_ordered else ("=", "!=")
    return Comparison(operand, rng.choice(signs), rng.choice(values))


def _operand(rng: random.Random) -> Operand:
    if rng.random() < 0.6:
        return Field(rng.choice(_ASKED))
    return rng.choice(
        (
            Score("rb"),
            Score("sl"),
            Score("rb", ("rb@1",)),
            Score("rb", ("rb@3",)),
            Score("rb", ("rb@1", "rb@3")),
        )
    )


def _value(operand: Operand, document: dict[str, Any], outcomes: dict[str, float | None]) -> Any:
    if isinstance(operand, Score):
        scores = [outcomes.get(version) for version in operand.versions]
        return None if None in scores else max(score for score in scores if score is not None)
    value = document.get(FIELDS[operand.name].key)
    wanted = {Kind.NUMBER: (int, float), Kind.TIME: (datetime,)}.get(FIELDS[operand.name].kind, (str,))
    return value if type(value) in wanted and value == value else None


def _in_cone(cone: Cone, document: dict[str, Any]) -> float | None:
    """By haversines."""
    ra, dec = (_value(Field(name), document, {}) for name in ("ra", "dec"))
    if ra is None or dec is None or not (0 <= ra <= 360 and -90 <= dec <= 90):
        return None
    across = sin(radians(dec - cone.dec_deg) / 2) ** 2
    across += cos(radians(dec)) * cos(radians(cone.dec_deg)) * sin(radians(ra - cone.ra_deg) / 2) ** 2
    return float(degrees(2 * asin(min(1.0, sqrt(across)))) * 3600 <= cone.radius_arcsec)
