"""What a filter says, as a tree of frozen nodes; `str` of a node is its canonical text, which parses to it.

Truth has three values, as in SQL: what a cutout has no value or no score for is unknown, `not` of unknown is
unknown, and a filter finds what it is true of.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

Operator = Literal["=", "!=", "<", "<=", ">", ">="]
Value = str | float | datetime
"""Texts, digits and nights are strings, numbers are finite floats, times are UTC in whole milliseconds."""


@dataclass(frozen=True, slots=True)
class Field:
    """A known field of the cutout's document."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Score:
    """The score by a version, or the highest by several of one classifier; none until bound to production."""

    classifier: str
    versions: tuple[str, ...] = ()
    column: int = field(default=0, compare=False)

    def __str__(self) -> str:
        if len(self.versions) > 1:
            return f"best({', '.join(self.versions)})"
        return self.versions[0] if self.versions else self.classifier


Operand = Field | Score


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field or score against a value; unknown where there is none."""

    operand: Operand
    operator: Operator
    value: Value

    def __str__(self) -> str:
        return f"{self.operand} {self.operator} {_literal(self.value)}"


@dataclass(frozen=True, slots=True)
class OneOf:
    """A field or score equal to one of some values; unknown where there is none."""

    operand: Operand
    values: tuple[Value, ...]

    def __str__(self) -> str:
        return f"{self.operand} in ({', '.join(_literal(value) for value in self.values)})"


@dataclass(frozen=True, slots=True)
class Has:
    """A field has a value, or each version an outcome: a score or a rejection. Never unknown."""

    operand: Operand

    def __str__(self) -> str:
        return f"has {self.operand}"


@dataclass(frozen=True, slots=True)
class Cone:
    """`ra` and `dec` at most so far from a position; unknown where one of them is missing."""

    ra_deg: float
    dec_deg: float
    radius_arcsec: float

    def __str__(self) -> str:
        return f"cone({', '.join(_literal(v) for v in (self.ra_deg, self.dec_deg, self.radius_arcsec))})"


@dataclass(frozen=True, slots=True)
class Plausible:
    """The decision on record, if it is on these versions, else unknown; none until bound to production."""

    versions: tuple[str, ...] = ()
    column: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"plausible({', '.join(self.versions)})" if self.versions else "plausible"


@dataclass(frozen=True, slots=True)
class Not:
    """True where the part is false; unknown where it is unknown."""

    part: "Node"

    def __str__(self) -> str:
        if isinstance(self.part, Has):
            return f"lacks {self.part.operand}"
        return f"not {_within(self.part, And, Or)}"


@dataclass(frozen=True, slots=True)
class And:
    """All parts, two or more, none of which is an And."""

    parts: tuple["Node", ...]

    def __str__(self) -> str:
        return " and ".join(_within(part, Or) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Or:
    """One of the parts, two or more, none of which is an Or."""

    parts: tuple["Node", ...]

    def __str__(self) -> str:
        return " or ".join(str(part) for part in self.parts)


Node = Comparison | OneOf | Has | Cone | Plausible | Not | And | Or


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter as somebody wrote it; `core.filters.bind` says which versions' scores it asks."""

    root: Node

    def __str__(self) -> str:
        return str(self.root)


def _within(part: Node, *looser: type) -> str:
    return f"({part})" if isinstance(part, looser) else str(part)


def _literal(value: Value) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
