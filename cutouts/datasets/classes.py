"""The names that people give the two classes of a classifier."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from core.dataset import CLASSIFIER
from core.errors import InvalidRequest

KNOWN: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = MappingProxyType(
    {
        "rb": (("bogus", "no_streak", "not_streak", "nostreak"), ("real", "streak")),
        "sl": (("long",), ("short",)),
        "kd": (("ditch",), ("keep",)),
    }
)
"""By classifier: what is written for 0 and for 1, our own word first; the others are the old site's."""

_GAPS = re.compile(r"[\s-]+")


@dataclass(frozen=True)
class Classes:
    """The two classes of a classifier, each with its synonyms."""

    zero: tuple[str, ...]
    one: tuple[str, ...]

    @property
    def names(self) -> tuple[str, str]:
        """What 0 and 1 are called."""
        return self.zero[0], self.one[0]

    @property
    def expected(self) -> str:
        """All names, for errors."""
        return f"{' or '.join(self.zero)} for 0, {' or '.join(self.one)} for 1"

    def label_of(self, name: str) -> int | None:
        """0 or 1, whatever case, spaces or hyphens the name is written with; None for another class."""
        plain = _plain(name)
        return 0 if plain in self.zero else 1 if plain in self.one else None


def classes_of(classifier: str, names: tuple[str, ...] | None = None) -> Classes:
    """The classes of a classifier, or those that are named for 0 and 1; raises InvalidRequest."""
    if not CLASSIFIER.match(classifier):
        raise InvalidRequest(f"classifier {classifier!r}; expected a word such as rb or sl")
    if names is None:
        if classifier not in KNOWN:
            raise InvalidRequest(
                f"no known classes of {classifier!r}; expected their names for 0 and 1, such as ditch,keep, "
                f"or one of {', '.join(KNOWN)}"
            )
        return Classes(*KNOWN[classifier])
    plain = tuple(map(_plain, names))
    if len(plain) != 2 or not all(plain) or plain[0] == plain[1]:
        raise InvalidRequest(f"classes {', '.join(names) or 'none'}; expected two names, for 0 and for 1")
    return Classes((plain[0],), (plain[1],))


def _plain(name: str) -> str:
    return _GAPS.sub("_", name.strip().lower())
