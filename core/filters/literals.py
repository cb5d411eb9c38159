"""Values as they are written in a filter, checked against the kind of field that they are compared with."""

import re
from datetime import UTC, date, datetime
from math import isfinite

from core.errors import InvalidRequest
from core.filters.ast import Value
from core.filters.fields import Kind

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,3})?)?Z?")
_YEARS = range(1900, 3000)
_END = datetime(3000, 1, 1, tzinfo=UTC)


def value_of(text: str, kind: Kind, *, quoted: bool) -> Value | date:
    """The value that a text stands for; a date without a time of day is a whole day, which a time is not.

    Raises InvalidRequest, with what came and what was expected, for what is no value of this kind.
    """
    value = _READ[kind](text, quoted)
    if value is None:
        raise InvalidRequest(f"{text!r:.60}; expected {kind.expected}")
    return value


def _text(text: str, quoted: bool) -> str | None:
    return text if quoted else None


def _digits(text: str, quoted: bool) -> str | None:
    del quoted
    return text if text.isascii() and text.isdigit() else None


def _number(text: str, quoted: bool) -> float | None:
    try:
        value = None if quoted else float(text)
    except ValueError:
        return None
    return value if value is not None and isfinite(value) else None


def _night(text: str, quoted: bool) -> str | None:
    del quoted
    try:
        day = date.fromisoformat(text) if _DAY.fullmatch(text) or _digits(text, True) else None
    except ValueError:
        return None
    return day.strftime("%Y%m%d") if day and day.year in _YEARS else None


def _time(text: str, quoted: bool) -> datetime | date | None:
    del quoted
    try:
        if _DAY.fullmatch(text):
            read = date.fromisoformat(text)
        elif _TIME.fullmatch(text):
            read = datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)
        else:
            return None
    except ValueError:
        return None
    return read if read.year in _YEARS or read == _END else None


_READ = {
    Kind.TEXT: _text,
    Kind.DIGITS: _digits,
    Kind.NUMBER: _number,
    Kind.NIGHT: _night,
    Kind.TIME: _time,
}
