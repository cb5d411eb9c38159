"""The pipe-separated table of a night's streaks, read a line at a time, and written.

Two header lines (the columns, a rule), a line per streak, and a footer that says how many there were.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from core.errors import InvalidRequest
from cutouts.names import night_of
from cutouts.nights.fault import Fault
from cutouts.nights.metadata import COLUMNS, Row, read_metadata

LINE_BYTES = 64 * 1024
_FOOTER = re.compile(r"\(([0-9]+) rows?\)")
_RULE = re.compile(r"[-+ ]*-[-+ ]*")


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


def write_table(columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> str:
    """The text of a table; what a row lacks is left empty. No value may hold a `|` or a line break."""
    cells = [[row.get(name, "") for name in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    head = " | ".join(name.ljust(width) for name, width in zip(columns, widths, strict=True))
    rule = "-+-".join("-" * width for width in widths)
    lines = [" | ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    return "\n".join([head, rule, *lines, f"({len(rows)} rows)", ""])


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
    except InvalidRequest as error:
        return Fault(name, number, "malformed", str(error))
    own = night_of(cutout)
    if own != night:
        return Fault(name, number, "other_night", f"{cutout} is of the night {own}; expected {night}")
    return Row(name, number, cutout, values)


def _read(line: str | None, columns: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    if line is None:
        raise InvalidRequest(f"it has no end within {LINE_BYTES} bytes; expected {len(columns)} columns")
    cells = _cells(line)
    if len(cells) != len(columns):
        raise InvalidRequest(f"{len(cells)} columns came; expected {len(columns)}, as in the header")
    return read_metadata(dict(zip(columns, cells, strict=True)))
