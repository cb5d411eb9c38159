"""The cutouts that a filter means, read in the order of their ids in bounded memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from core.errors import InvalidRequest
from core.filters.bind import bind, by_classifier
from core.filters.bound import BoundFilter
from core.filters.grammar import MAX_COMPLETED, MAX_LENGTH, parse
from core.instrument import DEFAULT_INSTRUMENT
from core.job import Item
from cutouts.names import instrument_of
from storage.database import Document
from storage.filter_query import query as filter_query
from storage.record import Record

CHUNK = 2000
EVERYTHING = ""
PATIENCE_MS = 30_000
"""How long one look at the record may take on behalf of somebody who waits for the answer."""
_READABLE: Document = {"$or": [{"sha256": {"$type": "string"}}, {"reference": {"$type": "string"}}]}
_KEPT = {"sha256": True, "reference": True, "night": True}


def bound_text(record: Record, text: str, *, longest: int = MAX_LENGTH) -> str:
    """A filter with the versions that its scores come from, bound to what is in production now.

    An empty text means every cutout. Raises InvalidRequest for what is no filter, saying where. One of
    `narrowed` may be longer than what people write: MAX_COMPLETED.
    """
    if not text.strip():
        return EVERYTHING
    registered = [card.version for card, _ in record.models.all()]
    unbound, production = parse(text, longest=longest), by_classifier(record.models.production())
    return str(bind(unbound, production, registered=registered, longest=longest))


def narrowed(record: Record, text: str, *, nights: Sequence[str]) -> str:
    """A filter, of these nights only where any are named; the empty text means every cutout.

    Raises InvalidRequest for what is no filter and for nights of which no cutout is on record.
    """
    unknown = record.cutouts.unknown_nights(nights)
    if unknown:
        raise InvalidRequest(f"no cutouts of the nights {', '.join(unknown[:20])} are on record")
    parts = [text.strip()]
    if parts[0]:
        parse(parts[0])  # alone, so that a complaint names the column that its writer sees
    if nights:
        parts.append(f"night in ({', '.join(nights)})")
    return " and ".join(f"({part})" for part in parts if part)


def selected(
    record: Record,
    text: str,
    *,
    instrument: str = DEFAULT_INSTRUMENT,
    after: str | None = None,
    each_chunk: Callable[[], object] = lambda: None,
    slowest_ms: int | None = None,
) -> Iterator[Item]:
    """Items of an instrument's cutouts whose id is above `after` and that a bound filter is true of, by id.

    `each_chunk` is called after each look at the record, also where nothing matches; `slowest_ms` is as
    `matching` has it. Cutouts that are only
    known by name, whose bytes nobody has handed in or referred to, are passed over.
    """
    for chunk in matching(record, text, only=_READABLE, after=after, slowest_ms=slowest_ms):
        each_chunk()
        for document in chunk.documents:
            if instrument_of(document["_id"]) == instrument:
                yield Item(
                    name=document["_id"],
                    cutout=document["_id"],
                    sha256=document["sha256"],
                    reference=document.get("reference"),
                )


@dataclass(frozen=True)
class Chunk:
    """Documents that a filter is true of, by id, and the id of the last that was looked at."""

    documents: list[Document]
    last: str


def matching(
    record: Record,
    text: str,
    *,
    only: Document | None = None,
    after: str | None = None,
    size: int = CHUNK,
    slowest_ms: int | None = None,
) -> Iterator[Chunk]:
    """Documents whose id is above `after` and that a bound filter is true of, `size` looked at at a time.

    `only` is a query that they match, too. Without a filter a document has no more than its id, sha256,
    reference and night. With `slowest_ms` a look that takes longer raises pymongo's ExecutionTimeout, and the
    server stops working on it.
    """
    unbound = None if text == EVERYTHING else parse(text, longest=MAX_COMPLETED)
    bound = None if unbound is None else bind(unbound, {}, longest=MAX_COMPLETED)
    wanted = [query for query in (only, None if bound is None else filter_query(bound)) if query]
    fields = _KEPT if bound is None else None
    while found := _chunk(record, wanted, fields, after, size, slowest_ms):
        after = found[-1]["_id"]
        yield Chunk(list(_matching(record, bound, found)), after)


def how_many(record: Record, text: str, *, instrument: str = DEFAULT_INSTRUMENT) -> int:
    """How many cutouts `selected` gives to somebody who waits."""
    return sum(1 for _ in selected(record, text, instrument=instrument, slowest_ms=PATIENCE_MS))


def _chunk(
    record: Record,
    wanted: Sequence[Document],
    fields: Document | None,
    after: str | None,
    size: int,
    slowest_ms: int | None,
) -> list[Document]:
    parts = [*wanted] if after is None else [{"_id": {"$gt": after}}, *wanted]
    found = record.database["cutouts"].find({"$and": parts} if parts else {}, fields, max_time_ms=slowest_ms)
    return list(found.sort("_id", 1).limit(size))


def _matching(record: Record, bound: BoundFilter | None, chunk: Sequence[Document]) -> Iterator[Document]:
    if bound is None:
        yield from chunk
        return
    outcomes: dict[str, dict[str, float | None]] = {}
    if bound.needs_outcomes:
        ids = [document["_id"] for document in chunk]
        for (cutout, version), outcome in record.outcomes.find(ids, bound.versions).items():
            outcomes.setdefault(cutout, {})[version] = outcome.score
    for document in chunk:
        if bound.matches(document, outcomes.get(document["_id"], {})):
            yield document
