"""A document of a Kowalski catalogue as a candidate: its id, its metadata by column, its difference stamp."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from core.errors import CutoutRejected, InvalidRequest
from core.kowalski import KowalskiArchive
from cutouts.fits import FITS_MAGIC, GZIP_MAGIC, unzipped
from cutouts.names import night_of, streak_id
from cutouts.nights import COLUMNS, Fault

_ENDS = (("ra1", "ra"), ("dec1", "dec"), ("ra2", "ra"), ("dec2", "dec"))


@dataclass(frozen=True)
class Candidate:
    """One document.

    Parameters
    ----------
    key : what pages are ordered by.
    id : `strkid…_pid…`; an alert's candid takes the place of the streakid.
    night : `YYYYMMDD` (UTC), as the pid tells it.
    texts : metadata by the columns of a night's table.
    stamp : gzipped FITS, as it came; None where it can't be had, for which `fault` is the reason.
    """

    key: int | str
    id: str
    night: str
    texts: Mapping[str, str]
    stamp: bytes | None
    fault: Fault | None


def wanted_fields(archive: KowalskiArchive) -> dict[str, int]:
    """The projection that `read_candidate` needs."""
    return dict.fromkeys([archive.key, "candidate", archive.stamp, *COLUMNS], 1)


def key_of(document: Any, archive: KowalskiArchive) -> int | str:
    """What pages are ordered by; raises InvalidRequest for a document that does not tell it."""
    key = _at(document, archive.key)
    if isinstance(key, bool) or not isinstance(key, int | str):
        raise InvalidRequest(f"a document of {archive.catalog} has no {archive.key}; it has {key!r:.80}")
    return key


def read_candidate(document: Mapping[str, Any], archive: KowalskiArchive, *, max_bytes: int) -> Candidate:
    """Take a document apart; a stamp is unpacked to find out whether it is whole, to `max_bytes` at most.

    Raises InvalidRequest for a document that tells no id.
    """
    key = key_of(document, archive)
    inner = document.get("candidate")
    values = {**document, **(inner if isinstance(inner, Mapping) else {})}
    texts = {column: text for column in COLUMNS if (text := _text(column, values.get(column))) is not None}
    texts.setdefault("streakid", str(key))
    for end, middle in _ENDS:  # a point source: both ends are where it is
        text = _text(middle, values.get(middle))
        if text is not None:
            texts.setdefault(end, text)
    name = f"strkid{texts['streakid']}_pid{texts.get('pid', '')}"
    night = night_of(name)
    if streak_id(name) != name or night is None:
        raise InvalidRequest(
            f"streakid {texts['streakid']!r:.60} and pid {texts.get('pid')!r:.60} are no streak's; expected"
            " 10 to 40 and 8 to 40 digits, the pid telling the night"
        )
    try:
        return Candidate(key, name, night, texts, _stamp(document, archive, max_bytes), None)
    except CutoutRejected as error:
        return Candidate(key, name, night, texts, None, Fault(name, None, error.reason, error.detail))


def _stamp(document: Mapping[str, Any], archive: KowalskiArchive, max_bytes: int) -> bytes:
    found = _at(document, archive.stamp)
    data = found.get("stampData") if isinstance(found, Mapping) else found
    if data is None:
        raise CutoutRejected("fetch", "no_stamp", f"no {archive.stamp} came; expected gzipped FITS")
    if not isinstance(data, bytes) or not data.startswith(GZIP_MAGIC):
        raise CutoutRejected(
            "fetch",
            "not_gzip",
            f"{archive.stamp} begins with {data[:8]!r:.60}; expected gzipped FITS"
            if isinstance(data, bytes | str)
            else f"{archive.stamp} is a {type(data).__name__}; expected bytes",
        )
    begins = unzipped(data, max_bytes)[: len(FITS_MAGIC)]
    if begins != FITS_MAGIC:
        raise CutoutRejected("fetch", "not_fits", f"{archive.stamp} holds {begins!r}; expected a FITS file")
    return data


def _at(document: Any, path: str) -> Any:
    """What a dotted path leads to; None where it leads nowhere."""
    for name in path.split("."):
        document = document.get(name) if isinstance(document, Mapping) else None
    return document


def _text(column: str, value: Any) -> str | None:
    """A value as a table has it; None where there is none. Raises InvalidRequest for what fits none."""
    if value is None or (isinstance(value, float) and not isfinite(value)):
        return None
    text = repr(value) if isinstance(value, float) else str(value)
    if isinstance(value, bool) or not isinstance(value, int | float | str) or not text.isprintable():
        raise InvalidRequest(f"{column} is {value!r:.80}; expected a number or a text of one line")
    if "|" in text:
        raise InvalidRequest(f"{column} is {text[:80]!r}; expected a text without |")
    return text
