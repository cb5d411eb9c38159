"""A frozen data set: labelled cutouts, each in one split, and a card that says where they come from."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

Source = Literal["folder", "zwickyverse", "labels", "project"]

Reason = Literal[
    "no_label",
    "no_image",
    "disputed",
    "unreadable",
    "conflict",
    "duplicate",
    "superseded",
    "benchmark",
    "not_used",
]
"""Why something that came is not in a data set.

no_label: an image that nobody labelled; no_image: a label whose image did not come; disputed: no majority,
or too few people; unreadable: does not decode; conflict: other bytes under the streak id of an image that is
in; duplicate: the same bytes under another name, whose votes count; superseded: a label of an earlier export
of the same labels; benchmark: an image or a night of a benchmark; not_used: a file that is no image.
"""

NAME = re.compile(r"^[a-z0-9][a-z0-9._-]{0,63}$")
CLASSIFIER = re.compile(r"^[a-z][a-z0-9_]{0,31}$")
MOST_NAMED = 100


@dataclass(frozen=True, slots=True)
class LabelledCutout:
    """One image of a data set: its streak id, or its sha256 where it has none, and a label of 0 or 1."""

    id: str
    sha256: str
    label: int
    split: Split
    night: str | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How many were left out for a reason; the first hundred of them by name, all in the card's report."""

    reason: Reason
    count: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reserved:
    """What the benchmarks hold back: contents by sha256, and whole nights."""

    contents: frozenset[str] = frozenset()
    nights: frozenset[str] = frozenset()

    def holds(self, sha256: str, night: str | None) -> bool:
        """Whether an image may not be trained on."""
        return sha256 in self.contents or night in self.nights


@dataclass(frozen=True, kw_only=True)
class DataSetCard:
    """What may be known of a data set without reading its images.

    Parameters
    ----------
    classes : what 0 and 1 mean.
    fingerprint : of ids, labels, splits, nights and seed; the same for the same contents.
    shares : of train, validation and test; they add up to 1.
    counts : by split, by class.
    consensus : the rule by which the votes of several people became one label.
    min_votes : how many people had to vote.
    report : sha256 of the blob that names all that was left out, a line each.
    benchmark : held back from every later training.
    """

    name: str
    classifier: str
    classes: tuple[str, str]
    fingerprint: str
    seed: int
    shares: tuple[float, float, float]
    counts: dict[Split, dict[str, int]]
    nights: dict[Split, int]
    source: Source
    consensus: str
    min_votes: int
    left_out: tuple[LeftOut, ...]
    report: str
    benchmark: bool
    created: datetime
    owner: str
