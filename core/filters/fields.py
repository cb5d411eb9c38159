"""What a filter may ask of a cutout's document, and the words of the language, for code and documentation."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Kind(StrEnum):
    """What values a field has, which says how they are written and compared."""

    TEXT = "text"
    DIGITS = "digits"
    NUMBER = "number"
    NIGHT = "night"
    TIME = "time"

    @property
    def is_ordered(self) -> bool:
        """Whether < and > mean something; digits are names, and longer than a number holds."""
        return self not in (Kind.TEXT, Kind.DIGITS)

    @property
    def expected(self) -> str:
        """How a value is written."""
        return _EXPECTED[self]


_EXPECTED = {
    Kind.TEXT: "a text in quotes",
    Kind.DIGITS: "digits",
    Kind.NUMBER: "a number below 1.8e308",
    Kind.NIGHT: "a night such as 20180301 or 2018-03-01",
    Kind.TIME: "a date such as 2018-03-01, or a time (UTC) such as 2018-03-01T12:30:00Z",
}


@dataclass(frozen=True)
class KnownField:
    """A field of a cutout's document: the key it has there, its values, their unit if any, what it means."""

    name: str
    key: str
    kind: Kind
    unit: str
    meaning: str


@dataclass(frozen=True)
class Word:
    """A word of the language: how it is written, what it says, and a filter that uses it."""

    syntax: str
    meaning: str
    example: str


def _known(name: str, kind: Kind, meaning: str, unit: str = "") -> KnownField:
    return KnownField(name, "_id" if name == "id" else name, kind, unit, meaning)


FIELDS: Mapping[str, KnownField] = MappingProxyType(
    {
        field.name: field
        for field in (
            _known("id", Kind.TEXT, "the streak id, or the sha256 of a cutout without one"),
            _known("sha256", Kind.TEXT, "of the bytes that own the id"),
            _known("reference", Kind.TEXT, "where the bytes are, if not stored here"),
            _known("night", Kind.NIGHT, "of the exposure", "UTC"),
            _known("added", Kind.TIME, "when the cutout was first submitted", "UTC"),
            _known("last_modified", Kind.TIME, "when its scores in production last changed", "UTC"),
            _known("streakid", Kind.DIGITS, "the survey's name of the streak"),
            _known("pid", Kind.DIGITS, "the survey's name of the image: time, readout channel"),
            _known("jd", Kind.NUMBER, "Julian date of the exposure", "d"),
            _known("fid", Kind.NUMBER, "filter: 1 g, 2 r, 3 i"),
            _known("field", Kind.NUMBER, "the survey's field on the sky"),
            _known("ccdid", Kind.NUMBER, "CCD, 1 to 16"),
            _known("ra", Kind.NUMBER, "right ascension of the streak's middle, 0 to 360", "deg"),
            _known("dec", Kind.NUMBER, "declination of the streak's middle", "deg"),
            _known("ra1", Kind.NUMBER, "right ascension of one end", "deg"),
            _known("dec1", Kind.NUMBER, "declination of that end", "deg"),
            _known("ra2", Kind.NUMBER, "right ascension of the other end", "deg"),
            _known("dec2", Kind.NUMBER, "declination of that end", "deg"),
            _known("ra1err", Kind.NUMBER, "error of ra1"),
            _known("dec1err", Kind.NUMBER, "error of dec1"),
            _known("corr1", Kind.NUMBER, "correlation of the errors of ra1 and dec1"),
            _known("ra2err", Kind.NUMBER, "error of ra2"),
            _known("dec2err", Kind.NUMBER, "error of dec2"),
            _known("corr2", Kind.NUMBER, "correlation of the errors of ra2 and dec2"),
            _known("startmjd", Kind.NUMBER, "modified Julian date, start of the exposure", "d"),
            _known("endmjd", Kind.NUMBER, "modified Julian date, end of the exposure", "d"),
            _known("diffmaglim", Kind.NUMBER, "limiting magnitude of the difference image", "mag"),
            _known("pdiffimfilename", Kind.TEXT, "file of the difference image"),
            _known("programpi", Kind.TEXT, "who leads the observing programme"),
            _known("programid", Kind.NUMBER, "the observing programme"),
            _known("strid", Kind.NUMBER, "index of the streak in its image"),
            _known("flux", Kind.NUMBER, "of the fitted streak"),
            _known("bg", Kind.NUMBER, "fitted background"),
            _known("bgerr", Kind.NUMBER, "error of bg"),
            _known("length", Kind.NUMBER, "fitted length", "arcsec"),
            _known("lengtherr", Kind.NUMBER, "error of length"),
            _known("sigma", Kind.NUMBER, "fitted width"),
            _known("sigmaerr", Kind.NUMBER, "error of sigma"),
            _known("paerr", Kind.NUMBER, "error of the position angle"),
            _known("fitmagerr", Kind.NUMBER, "error of the fitted magnitude", "mag"),
            _known("apsnr", Kind.NUMBER, "signal to noise in the aperture"),
            _known("apmagerr", Kind.NUMBER, "error of the aperture magnitude", "mag"),
            _known("dmag", Kind.NUMBER, "a difference of magnitudes, as in the survey's table", "mag"),
            _known("dmagerr", Kind.NUMBER, "error of dmag", "mag"),
            _known("chi2", Kind.NUMBER, "of the fit"),
            _known("numfit", Kind.NUMBER, "pixels in the fit"),
            _known("prob", Kind.NUMBER, "the survey's own estimate, as in its table"),
        )
    }
)
"""By name. Metadata are those of the survey's tables; which of them a cutout has depends on how it came."""

WORDS: Mapping[str, Word] = MappingProxyType(
    {
        "and": Word("A and B", "both; binds closer than or", "night = 20180301 and rb >= 0.5"),
        "or": Word("A or B", "one of them, or both", "rb >= 0.9 or sl >= 0.9"),
        "not": Word("not A", "A is false; unknown where A is unknown", "not rb >= 0.5"),
        "in": Word("X in (A, B)", "equal to one of these; also X not in (A, B)", "fid in (1, 2)"),
        "between": Word("X between A and B", "A <= X and X <= B", "night between 20180301 and 20180331"),
        "has": Word("has X", "a score or a rejection by this version; a value in this field", "has rb@3"),
        "lacks": Word("lacks X", "not has X", "lacks rb@3"),
        "cone": Word(
            "cone(RA, DEC, RADIUS)",
            "ra and dec lie at most RADIUS arcsec from a position in degrees",
            "cone(359.999, -2.5, 30)",
        ),
        "best": Word(
            "best(rb@2, rb@3)",
            "the highest score of versions of one classifier; unknown while one lacks a score",
            "best(rb@2, rb@3) >= 0.5",
        ),
        "plausible": Word(
            "plausible",
            "each classifier in production has a version that scores at or above its threshold, as decided on"
            " record; bound, it names the versions, and is unknown where the decision is on others",
            "plausible and night >= 2018-03-01",
        ),
        "true": Word("plausible = true", "the same as plausible", "plausible = true"),
        "false": Word("plausible = false", "the same as not plausible", "plausible = false"),
    }
)
"""The words of the language, which name no field and no classifier."""
