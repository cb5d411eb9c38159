"""The names that the survey gives its cutouts."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import PurePosixPath

from core.instrument import DEFAULT_INSTRUMENT

_STREAK = re.compile(r"strkid(\d{10,40})_pid(\d{8,40})")
_PID_EPOCH = datetime(2017, 1, 1, tzinfo=UTC)
MAX_NAME = 255


def streak_id(name: str) -> str | None:
    """`strkid…_pid…` out of a file's name or URL, or None when it carries no such id.

    A string, never a number: since 2019 the survey's ids are over 2**53.
    """
    match = _STREAK.search(PurePosixPath(name).name)
    return match[0] if match else None


def night_of(cutout: str) -> str | None:
    """The night `YYYYMMDD` (UTC) that a streak id was exposed in, or None when it carries none.

    The pid holds days since 2017-01-01, then 5 digits of the day's fraction and 4 of readout channel and 15.
    """
    match = _STREAK.search(cutout)
    if match is None:
        return None
    return _night(int(match[2][:-9] or 0))


@lru_cache(maxsize=64)
def _night(days: int) -> str | None:
    return (_PID_EPOCH + timedelta(days=days)).strftime("%Y%m%d") if days < 100_000 else None


def content_id(sha256: str, instrument: str = DEFAULT_INSTRUMENT) -> str:
    """The id of a cutout that has no streak id: its sha256, after the instrument if that is not the default.

    So the same bytes, read by two profiles, are two cutouts, each with scores of its own.
    """
    return sha256 if instrument == DEFAULT_INSTRUMENT else f"{instrument}:{sha256}"


def instrument_of(cutout: str) -> str:
    """The instrument whose profile a cutout's id says that it is read by."""
    return cutout.rpartition(":")[0] or DEFAULT_INSTRUMENT


def safe_name(name: str) -> str:
    """A name fit to be shown and stored: no control or direction characters, at most 255 characters."""
    kept = "".join(
        c
        for c in name
        if c.isprintable() and c not in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    )
    return kept[-MAX_NAME:] or "unnamed"
