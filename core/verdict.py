"""Verdicts: what people make of a streak, as events; which of them stands is worked out from all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Word = Literal["accepted", "rejected", "undone"]


@dataclass(frozen=True)
class Verdict:
    """One event. It is written once and never changed; one that undoes another names it.

    Parameters
    ----------
    id : chosen by who sends it, so that one that is sent twice is one.
    seen : the scores that the streak had at that moment, by version.
    undoes : the id of the verdict that no longer stands.
    """

    id: str
    cutout: str
    word: Word
    person: str
    at: datetime
    seen: Mapping[str, float] = field(default_factory=dict)
    undoes: str | None = None


def standing(verdicts: Iterable[Verdict]) -> Verdict | None:
    """Of a cutout's verdicts, in their order, the last that nobody has undone."""
    given = list(verdicts)
    undone = {verdict.undoes for verdict in given}
    return next((v for v in reversed(given) if v.word != "undone" and v.id not in undone), None)
