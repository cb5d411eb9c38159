"""Documents in the order of a score, of however many nights.

An index over all nights would take a new score anywhere, on pages that lie far apart and are all written
again at the next checkpoint: the larger the record, the more a cutout would cost. So indexes by score begin
with the night, whose keys lie together, and nights are merged as they are read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from storage.database import Document, Mongo

NIGHTS_AT_ONCE = 100
"""MongoDB merges at most 200 ranges of an index in their order, and reads and sorts all of more; what is of
no night is two of them."""


@dataclass(frozen=True)
class Ranking:
    """What is asked of a collection, and in which order.

    Parameters
    ----------
    query : all but the nights.
    score, name : the fields that it is in the order of: a score, and an id where scores are the same.
    direction : 1 for the lowest first, -1 for the highest.
    index : the name of one that keeps this order within each night; None to let MongoDB choose.
    is_nightly : whether there is a night in that index; one without keeps the order of all.
    """

    collection: str
    query: Document
    score: str
    name: str
    direction: int
    index: str | None
    is_nightly: bool = True

    @property
    def order(self) -> list[tuple[str, int]]:
        """As MongoDB is told it."""
        return [(self.score, self.direction), (self.name, self.direction)]

    def of(self, nights: Sequence[str | None]) -> Document:
        """The query of these nights, None for what is of none."""
        return {"$and": [{"night": {"$in": list(nights)}}, self.query]} if self.is_nightly else self.query

    def place(self, document: Document) -> tuple[Any, Any]:
        """Where a document is in the order."""
        return _at(document, self.score), _at(document, self.name)


def read_ranked(
    database: Mongo,
    ranking: Ranking,
    nights: Sequence[str | None],
    *,
    limit: int,
    fields: Document | None = None,
    slowest_ms: int | None = None,
) -> list[Document]:
    """The first documents of these nights, in order; each look at some nights takes `slowest_ms` at most."""
    found: list[Document] = []
    better = "$gte" if ranking.direction < 0 else "$lte"
    for some in _parts(nights) if ranking.is_nightly else [nights]:
        query = ranking.of(some)
        if len(found) == limit:  # of further nights only what comes before the last
            query = {"$and": [query, {ranking.score: {better: ranking.place(found[-1])[0]}}]}
        look = database[ranking.collection].find(query, fields, max_time_ms=slowest_ms, hint=ranking.index)
        found += look.sort(ranking.order).limit(limit)
        found = sorted(found, key=ranking.place, reverse=ranking.direction < 0)[:limit]
    return found


def _parts(nights: Sequence[str | None]) -> list[Sequence[str | None]]:
    return [nights[start : start + NIGHTS_AT_ONCE] for start in range(0, len(nights), NIGHTS_AT_ONCE)]


def _at(document: Document, path: str) -> Any:
    value: Any = document
    for key in path.split("."):
        value = value[key]
    return value
