"""What people said of the items of a data set, press by press, and what of it counts."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

EVENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:#-]{7,99}")
MOST_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Seen:
    """What somebody saw as they said it: whether scores were shown, the page and its queue, and whether the
    item was pressed itself or had the class of all others.
    """

    scores: bool = False
    mode: str = ""
    queue: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """A label: the classes that one person gave an item, none to take back what they said before.

    `id` is made by who sends it, so that what is sent again is known; `at` is by the clock of the sender.
    """

    id: str
    item: str
    classes: tuple[str, ...]
    at: datetime
    seen: Seen = Seen()


@dataclass(frozen=True, slots=True)
class Undone:
    """A person's word that one of their labels, by its event's id, was never meant."""

    id: str
    undoes: str
    at: datetime


Event = Said | Undone


@dataclass(frozen=True, slots=True)
class Label:
    """What one person says of one item now, by all that they said of it.

    `classes` is empty where they say nothing; `event` is the id of the label that counts.
    """

    item: str
    person: str
    classes: tuple[str, ...]
    at: datetime
    scores_shown: bool
    event: str


def last_word(said: Iterable[Said], undone: frozenset[str]) -> Said | None:
    """Of one person's labels of one item the latest that was not undone; of one time the one said last."""
    last: Said | None = None
    for label in said:
        if label.id not in undone and (last is None or label.at >= last.at):
            last = label
    return last
