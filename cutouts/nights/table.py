"""The pipe-separated table of a night's streaks, read a line at a time.

Two header lines (the columns, a rule), a line per streak, and a footer that says how many there were.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, BinaryIO

from core.filters.fields import FIELDS, Kind
from cutouts.names import night_of, streak_id
from cutouts.nights.fault import Fault
from cutouts.nights.position import coordinates, midpoint

LINE_BYTES = 64 * 1024
_OF_THE_RECORD = ("id", "sha256", "reference", "night", "added", "last_modified")
_DERIVED = ("ra", "dec", "field", "ccdid")
COLUMNS = tuple(name for name in FIELDS if name not in (*_OF_THE_RECORD, *_DERIVED))
"""What a table may hold: the names are those of the filter language and of the documents."""

METADATA = (*COLUMNS, *_DERIVED, "midpoint_coordinates")
"""The keys that a row gives a cutout's document."""

_FOOTER = re.compile(r"\(([0-9]+) rows?\)")
_RULE = re.compile(r"[-+ ]*-[-+ ]*")
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_NONE = frozenset({"", "null", "none", "nan", "\\n"})
_IMAGE = re.compile(r"ztf_[0-9]{14}_([0-9]{6})_z[a-z]_c([0-9]{2})_")  # …_{field}_{filter}_c{ccd}_…
_RANGES = {"ra1": (0.0, 360.0), "ra2": (0.0, 360.0), "dec1": (-90.0, 90.0), "dec2": (-90.0, 90.0)}


@dataclass(frozen=True)
class Row:
    """A streak's line: its document's id, and the values by key; numbers are floats, identifiers strings.

    A value that the table leaves empty is not there. Positions are in degrees, `midpoint_coordinates` too.
    """

    name: str
    line: int
    id: str
    values: Mapping[str, Any]


class _Malformed(Exception):
    """Says what came and what was expected."""


def read_table(file: BinaryIO, name: str, *, night: str) -> Iterator[Row | Fault]:
    """Each streak's line as a row, or as the fault that it has; in the memory of one line.

    A table that has no header, or that ends before its footer, is a fault as well.
    """
    lines = _lines(file)
    first = next(lines, (1, ""))[1] or ""
    columns = tuple(_cells(first))
    if not {"streakid", "pid"} <= set(columns) or len(set(columns)) < len(columns):
        detail = f"the first line is {first[:80]!r}; expected columns, each once, with streakid and pid"
        yield Fault(name, 1, "not_a_table", f"{detail}; nothing of it was read")
        return
    yield from _unknown(columns, name)
    number, rows, complete = 1, 0, False
    for number, line in lines:
        if line is not None and (not line.strip() or _RULE.fullmatch(line) or tuple(_cells(line)) == columns):
            continue
        footer = _FOOTER.fullmatch(line.strip()) if line is not None else None
        if footer:
            if int(footer[1]) != rows:
                detail = f"the footer says {footer[1]} rows; {rows} came before it"
                yield Fault(name, number, "row_count", detail)
            rows, complete = 0, True
            continue
        rows, complete = rows + 1, False
        yield _row(line, columns, name, number, night)
    if not complete:
        detail = f"it ends after line {number} without a footer such as ({rows} rows); it may be cut short"
        yield Fault(name, number + 1, "no_footer", detail)


def _lines(file: BinaryIO) -> Iterator[tuple[int, str | None]]:
    """Numbers from 1, and texts; None for a line that is too long, or cut short but for a footer."""
    number = 0
    while data := file.readline(LINE_BYTES):
        number += 1
        if data.endswith(b"\n") or _FOOTER.fullmatch(data.decode("utf-8", "replace").strip()):
            yield number, data.decode("utf-8", "replace").rstrip("\r\n")
            continue
        while data and not data.endswith(b"\n"):
            data = file.readline(LINE_BYTES)
        yield number, None


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("|")]


def _unknown(columns: tuple[str, ...], name: str) -> Iterator[Fault]:
    unknown = [column for column in columns if column not in COLUMNS]
    if unknown:
        named = ", ".join(map(repr, unknown[:10]))
        detail = (
            f"columns {named:.400} are not known and were left out; expected some of {', '.join(COLUMNS)}"
        )
        yield Fault(name, 1, "unknown_columns", detail)


def _row(line: str | None, columns: tuple[str, ...], name: str, number: int, night: str) -> Row | Fault:
    try:
        cutout, values = _read(line, columns)
    except _Malformed as error:
        return Fault(name, number, "malformed", str(error))
    own = night_of(cutout)
    if own != night:
        return Fault(name, number, "other_night", f"{cutout} is of the night {own}; expected {night}")
    return Row(name, number, cutout, values)


def _read(line: str | None, columns: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    if line is None:
        raise _Malformed(f"it has no end within {LINE_BYTES} bytes; expected {len(columns)} columns")
    cells = _cells(line)
    if len(cells) != len(columns):
        raise _Malformed(f"{len(cells)} columns came; expected {len(columns)}, as in the header")
    values = {
        column: _value(column, cell)
        for column, cell in zip(columns, cells, strict=True)
        if column in COLUMNS and cell.lower() not in _NONE
    }
    missing = [column for column in ("streakid", "pid") if column not in values]
    if missing:
        raise _Malformed(f"{missing[0]} is empty; expected digits")
    cutout = f"strkid{values['streakid']}_pid{values['pid']}"
    if streak_id(cutout) != cutout:
        raise _Malformed(f"{cutout[:120]!r} is no streak id; expected 10 to 40 and 8 to 40 digits")
    return cutout, values | _derived(values)


def _value(column: str, cell: str) -> float | str:
    kind = FIELDS[column].kind
    if kind is Kind.NUMBER:
        return _number(column, cell)
    if kind is Kind.DIGITS and not (cell.isascii() and cell.isdigit()):
        raise _Malformed(f"{column} is {cell[:80]!r}; expected digits")
    if not cell.isprintable():
        raise _Malformed(f"{column} is {cell[:80]!r}; expected a text without control characters")
    return cell


def _number(column: str, cell: str) -> float:
    value = float(cell) if _NUMBER.fullmatch(cell) else float("nan")
    if not isfinite(value):
        raise _Malformed(f"{column} is {cell[:80]!r}; expected a finite number")
    low, high = _RANGES.get(column, (value, value))
    if not low <= value <= high:
        raise _Malformed(f"{column} is {cell[:80]}; expected {low:g} to {high:g} degrees")
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
            found |= {"ra": middle[0], "dec": middle[1]}
            found["midpoint_coordinates"] = coordinates(*middle, _epoch(values))
    return found


def _epoch(values: Mapping[str, Any]) -> float | None:
    """MJD of the middle of the exposure."""
    if "startmjd" not in values or "endmjd" not in values:
        return None
    return float(values["startmjd"] + (values["endmjd"] - values["startmjd"]) / 2)
