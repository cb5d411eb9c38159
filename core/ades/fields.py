"""The fields of an optical observation that we write, in the order of the standard, and what each may hold.

After the types of ADES 2022's schema for submissions, https://github.com/IAU-ADES/ADES-Master.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from core.errors import InvalidRequest

_TEXT = r"(?=.{1,%d}$)[^|\s]([^|\x00-\x1f]*[^|\s])?"
_NAME = r"[A-Za-z0-9_]{1,%d}"
_DECIMAL = r"(?=.{1,%d}$)(0|[1-9][0-9]*)(\.[0-9]*)?"
_SIGNED = r"[+-]?" + _DECIMAL
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z"

OPTICAL: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        name: re.compile(pattern)
        for name, pattern in {
            "trkSub": r"[-A-Za-z0-9_]{1,8}",
            "obsSubID": _TEXT % 35,
            "mode": _NAME % 3,
            "stn": r"[A-Za-z0-9_]{3,4}",
            "obsTime": _TIME,
            "rmsTime": _DECIMAL % 8,
            "ra": r"([12][0-9]{2}|3[0-5][0-9]|[1-9]?[0-9])(\.[0-9]{0,9})?",
            "dec": r"[+-]?([1-8]?[0-9](\.[0-9]{0,9})?|90(\.0{0,9})?)",
            "rmsRA": _DECIMAL % 7,
            "rmsDec": _DECIMAL % 7,
            "rmsCorr": r"[+-]?0(\.[0-9]{0,11})?",
            "astCat": r"[.A-Za-z0-9_]{1,8}",
            "mag": r"(-[0-4]|[+]?([12]?[0-9]|3[0-4]))(\.[0-9]{0,4})?",
            "rmsMag": _DECIMAL % 6,
            "band": _NAME % 3,
            "photCat": r"[.A-Za-z0-9_]{1,8}",
            "logSNR": _SIGNED % 5,
            "seeing": _DECIMAL % 6,
            "exp": _DECIMAL % 6,
            "rmsFit": _DECIMAL % 6,
            "nStars": r"[1-9][0-9]{0,5}",
            "notes": _NAME % 6,
            "remarks": _TEXT % 300,
        }.items()
    }
)
"""Patterns of whole values, by element. Of the identifiers only a submitter's own are here."""
REQUIRED = ("trkSub", "mode", "stn", "obsTime", "ra", "dec", "astCat")
_ABOVE_0 = ("rmsTime", "rmsRA", "rmsDec", "rmsMag", "seeing", "exp", "rmsFit")
_ONLY_WITH = {"rmsMag": "mag", "band": "mag", "photCat": "mag", "mag": "band"}


def checked(values: Mapping[str, str]) -> dict[str, str]:
    """These values in the standard's order; raises InvalidRequest for what the standard does not allow."""
    missing = [name for name in REQUIRED if name not in values]
    if missing:
        raise InvalidRequest(f"it has no {', '.join(missing)}")
    found = {name: values[name] for name in OPTICAL if name in values}
    for name, value in found.items():
        if not OPTICAL[name].fullmatch(value) or (name in _ABOVE_0 and not float(value) > 0):
            raise InvalidRequest(f"{name} is {value[:80]!r}, which ADES does not allow")
        if _ONLY_WITH.get(name, name) not in found:
            raise InvalidRequest(f"{name} without {_ONLY_WITH[name]}, which ADES does not allow")
    return found
