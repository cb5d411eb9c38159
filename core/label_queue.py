"""Which items of a data set a person is to look at, and in which order."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, get_args

QueueKind = Literal["unlabelled", "uncertain", "contradicted", "disagreeing", "random", "labelled"]
KINDS: tuple[QueueKind, ...] = get_args(QueueKind)
"""unlabelled: by score; uncertain: nearest to the threshold first; contradicted: whose label is not what the
network calls it, the surest network first; disagreeing: two networks call them differently, the widest apart
first; random: an order that no score has a part in, the same for everybody, as a control; labelled: the
caller's own, latest first.
"""
OPEN_KINDS: tuple[QueueKind, ...] = ("unlabelled", "uncertain", "disagreeing", "random")
"""Those of items that the person has not labelled; where not everybody is to, they are shared out."""
Order = Literal["high", "low"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An item as one person finds it.

    Parameters
    ----------
    label : the class that the person gave it, None for none; `value` is 0 or 1 where the network has it, too.
    when_s : when that was said.
    people : how many others have labelled it.
    score, other : of the two networks, from 0 to 1; None where one has not scored it.
    """

    item: str
    label: str | None = None
    value: int | None = None
    when_s: float = 0.0
    people: int = 0
    score: float | None = None
    other: float | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: the queue, the networks' thresholds, and how many people are to label each item.

    With an `overlap` of 0 everybody is to label everything.
    """

    kind: QueueKind
    order: Order = "high"
    threshold: float = 0.5
    other_threshold: float = 0.5
    overlap: int = 0


def in_order(candidates: Iterable[Candidate], wanted: Wanted) -> list[Candidate]:
    """Those that belong to the queue, in its order; items that are equal in it are in the order of their ids.

    What the person has not labelled is wanted until `overlap` others have labelled it. What has no score
    comes last where scores decide the order, and is in no queue that a network's call decides.
    """
    belongs, key = _RULES[wanted.kind]
    found = [candidate for candidate in candidates if belongs(candidate, wanted)]
    return sorted(found, key=lambda candidate: (key(candidate, wanted), candidate.item))


def _is_open(candidate: Candidate, wanted: Wanted) -> bool:
    return candidate.label is None and (not wanted.overlap or candidate.people < wanted.overlap)


def _is_open_and_scored(candidate: Candidate, wanted: Wanted) -> bool:
    return _is_open(candidate, wanted) and candidate.score is not None


def _is_contradicted(candidate: Candidate, wanted: Wanted) -> bool:
    if candidate.value is None or candidate.score is None:
        return False
    return candidate.value != (candidate.score >= wanted.threshold)


def _is_disputed(candidate: Candidate, wanted: Wanted) -> bool:
    if not _is_open(candidate, wanted) or candidate.score is None or candidate.other is None:
        return False
    return (candidate.score >= wanted.threshold) != (candidate.other >= wanted.other_threshold)


def _is_labelled(candidate: Candidate, wanted: Wanted) -> bool:
    del wanted
    return candidate.label is not None


def _by_score(candidate: Candidate, wanted: Wanted) -> tuple[bool, float]:
    score = candidate.score or 0.0
    return candidate.score is None, -score if wanted.order == "high" else score


def _by_doubt(candidate: Candidate, wanted: Wanted) -> float:
    return abs(_score(candidate) - wanted.threshold)


def _by_certainty(candidate: Candidate, wanted: Wanted) -> float:
    return -_by_doubt(candidate, wanted)


def _by_distance(candidate: Candidate, wanted: Wanted) -> float:
    del wanted
    return -abs(_score(candidate) - (candidate.other or 0.0))


def _by_chance(candidate: Candidate, wanted: Wanted) -> bytes:
    del wanted
    return hashlib.sha256(candidate.item.encode()).digest()


def _by_time(candidate: Candidate, wanted: Wanted) -> float:
    del wanted
    return -candidate.when_s


def _score(candidate: Candidate) -> float:
    return 0.0 if candidate.score is None else candidate.score


_Rule = tuple[Callable[[Candidate, Wanted], bool], Callable[[Candidate, Wanted], object]]
_RULES: dict[QueueKind, _Rule] = {
    "unlabelled": (_is_open, _by_score),
    "uncertain": (_is_open_and_scored, _by_doubt),
    "contradicted": (_is_contradicted, _by_certainty),
    "disagreeing": (_is_disputed, _by_distance),
    "random": (_is_open, _by_chance),
    "labelled": (_is_labelled, _by_time),
}
