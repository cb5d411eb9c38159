"""Cutouts to look at: a page of them in an order that an index keeps, however many there are.

What the controls of a page ask is asked of MongoDB as it is; a filter in words is decided here, on each
document that may match. A page is named by where the one before it ended: a score, and either the id of its
last cutout, or, among outcomes, how many of that score were passed: their index has no ids, and need not, as
those of one score keep their places.
"""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import nextafter
from typing import Literal, get_args

from pymongo.errors import ExecutionTimeout

from core.errors import InvalidRequest
from core.filters.bind import bind
from core.filters.bound import BoundFilter
from core.filters.grammar import parse
from storage.database import Document
from storage.filter_query import query as filter_query
from storage.record import Record

Order = Literal["high", "low"]
ORDERS: tuple[Order, ...] = get_args(Order)
LEADING = "rb"
"""The family whose score in production orders cutouts where no version is named."""

LOOKED_AT = 20_000
"""Documents that a page, or a count, looks at at most where a filter in words has to be decided here."""
MOST_COUNTED = 100_000
"""What is beyond is not counted: nobody reads the difference, and it would cost what it counts."""
ANY = "any"
_SLOWEST_MS = 5_000
_CHUNK = 2_000
_MOST_PASSED = 2**31
_FAR = 1e9  # no score is that far off
_LEFT_OUT: Document = {"ades": False}
_ANY_REASON: Document = {"rejection.reason": {"$gt": ""}}

Place = tuple[float, str | int]
"""Where a page ends: the score that it is ordered by, and an id or how many of that score were passed."""


@dataclass(frozen=True)
class Sought:
    """Which cutouts, in which order.

    Parameters
    ----------
    exact : a query on `cutouts`, made of the controls' checked values.
    text : a bound filter, empty for none.
    order : by the score of `version`, or of LEADING in production.
    version : only what this version has scored.
    low, high : between which that version's score lies.
    rejection : only what `version` has rejected; for this reason, or for any for ANY.
    """

    exact: Document = field(default_factory=dict)
    text: str = ""
    order: Order = "high"
    version: str | None = None
    low: float = 0.0
    high: float = 1.0
    rejection: str | None = None

    @property
    def by_outcomes(self) -> bool:
        """Whether `outcomes` says which, and not `cutouts`."""
        return self.version is not None


@dataclass(frozen=True)
class Shown:
    """A cutout's document, and its outcome by the version that was sought, if one was.

    What could not be read has an outcome under its content alone: its document is no more than the id.
    """

    document: Document
    outcome: Document | None = None


@dataclass(frozen=True)
class GridPage:
    """Some cutouts, and where the next page begins; None at the end."""

    cutouts: list[Shown]
    next: str | None


@dataclass(frozen=True)
class Counted:
    """How many there are; `at_least` where counting stopped early, with no number where it took too long."""

    number: int | None
    at_least: bool


def read_page(record: Record, sought: Sought, *, after: str | None, limit: int) -> GridPage:
    """At most `limit` cutouts after a place that a page before told.

    Fewer though there are more, after a look at LOOKED_AT documents. Raises InvalidRequest for a place that
    no page told, and pymongo's ExecutionTimeout where those that are sought are too rare for any index.
    """
    place = None if after is None else _read_place(after, by_outcomes=sought.by_outcomes)
    cutouts: list[Shown] = []
    last: Place | None = place
    for looked_at, (shown, at) in enumerate(_candidates(record, sought, place, limit + 1), 1):
        if shown is not None and len(cutouts) == limit:
            return GridPage(cutouts, _write_place(last))
        if shown is not None:
            cutouts.append(shown)
        last = at
        if looked_at == LOOKED_AT:
            return GridPage(cutouts, _write_place(last))
    return GridPage(cutouts, None)


def count(record: Record, sought: Sought) -> Counted:
    """How many cutouts are sought, as far as it is worth to count."""
    try:
        return _counted(record, sought)
    except ExecutionTimeout:
        return Counted(None, at_least=True)


def _counted(record: Record, sought: Sought) -> Counted:
    collection, query = "cutouts", cutouts_query(sought, None)[0]
    if sought.by_outcomes:
        collection, query = "outcomes", outcomes_query(sought, None)[0]
    if sought.text or (sought.by_outcomes and sought.exact):
        found = 0
        for looked_at, (shown, _) in enumerate(_candidates(record, sought, None, _CHUNK), 1):
            found += shown is not None
            if looked_at == LOOKED_AT:
                return Counted(found, at_least=True)
        return Counted(found, at_least=False)
    number = record.database[collection].count_documents(query, limit=MOST_COUNTED + 1, maxTimeMS=_SLOWEST_MS)
    return Counted(min(number, MOST_COUNTED), at_least=number > MOST_COUNTED)


def nights(record: Record) -> list[str]:
    """Every night that a cutout is of, latest first."""
    return sorted((n for n in record.database["cutouts"].distinct("night") if n), reverse=True)


def rejection_reasons(record: Record) -> list[str]:
    """Every reason for which a version has rejected a cutout."""
    return sorted(record.database["outcomes"].distinct("rejection.reason", _ANY_REASON))


def is_anything_scored(record: Record) -> bool:
    """Whether there is any outcome, by whatever version."""
    return record.database["outcomes"].find_one({}, {"_id": True}) is not None


def cutouts_query(sought: Sought, place: Place | None) -> tuple[Document, list[tuple[str, int]]]:
    """What is asked of `cutouts`, and in which order; an index of that order serves both."""
    direction, beyond = _direction(sought)
    parts = [sought.exact] if sought.exact else []
    if sought.text:
        parts.append(filter_query(bind(parse(sought.text), {})))
    parts.append({LEADING: {"$gte": 0}})
    if place is not None:
        score, last = place
        further: Document = {"$or": [{LEADING: {beyond: score}}, {"_id": {beyond: last}}]}
        parts += [{LEADING: {f"{beyond}e": score}}, further]
    return {"$and": parts}, [(LEADING, direction), ("_id", direction)]


def outcomes_query(sought: Sought, place: Place | None) -> tuple[Document, list[tuple[str, int]]]:
    """What is asked of `outcomes`, and in which order; rejections are those that have no score."""
    direction, beyond = _direction(sought)
    parts: list[Document] = [{"_id.version": sought.version}]
    if sought.rejection is not None:
        parts += [
            {"score": None},
            _ANY_REASON if sought.rejection == ANY else {"rejection.reason": sought.rejection},
        ]
    else:
        low = nextafter(sought.low, -1)  # one value alone would be read forwards, whatever the order
        parts.append({"score": {"$gte": low, "$lte": sought.high}})
        if place is not None:
            parts.append({"score": {f"{beyond}e": place[0]}})
    return {"$and": parts}, [("score", 1 if sought.rejection is not None else direction)]


def _direction(sought: Sought) -> tuple[int, str]:
    return (1, "$gt") if sought.order == "low" else (-1, "$lt")


def _candidates(
    record: Record, sought: Sought, place: Place | None, size: int
) -> Iterator[tuple[Shown | None, Place]]:
    """What may be sought, in order, each with its place; None for what turns out not to be."""
    bound = bind(parse(sought.text), {}) if sought.text else None
    while True:
        chunk = (_by_outcomes if sought.by_outcomes else _by_cutouts)(record, sought, place, size)
        outcomes = _outcomes(record, bound, [shown.document for shown, _ in chunk if shown is not None])
        for shown, at in chunk:
            is_meant = bound is None or (
                shown is not None and bound.matches(shown.document, outcomes.get(shown.document["_id"], {}))
            )
            yield shown if is_meant else None, at
        if len(chunk) < size:
            return
        place, size = chunk[-1][1], _CHUNK


Chunk = list[tuple[Shown | None, Place]]


def _by_cutouts(record: Record, sought: Sought, place: Place | None, size: int) -> Chunk:
    query, order = cutouts_query(sought, place)
    found = record.database["cutouts"].find(query, _LEFT_OUT, max_time_ms=_SLOWEST_MS)
    return [(Shown(d), (d[LEADING], d["_id"])) for d in found.sort(order).limit(size)]


def _by_outcomes(record: Record, sought: Sought, place: Place | None, size: int) -> Chunk:
    query, order = outcomes_query(sought, place)
    at, passed = (None, 0) if place is None else (place[0], int(place[1]))
    outcomes = record.database["outcomes"].find(query, max_time_ms=_SLOWEST_MS).sort(order)
    found = list(outcomes.skip(passed).limit(size))
    ids = {outcome["_id"]["cutout"] for outcome in found}
    meant = {"$and": [{"_id": {"$in": list(ids)}}, *([sought.exact] if sought.exact else [])]}
    documents = {d["_id"]: d for d in record.database["cutouts"].find(meant, _LEFT_OUT)}
    chunk: Chunk = []
    for outcome in found:
        score = outcome.get("score", 0.0)
        at, passed = score, passed + 1 if score == at else 1
        name = outcome["_id"]["cutout"]
        document = documents.get(name, None if sought.exact else {"_id": name})
        chunk.append((None if document is None else Shown(document, outcome), (score, passed)))
    return chunk


def _outcomes(
    record: Record, bound: BoundFilter | None, documents: Sequence[Document]
) -> Mapping[str, Mapping[str, float | None]]:
    """By cutout and version, what a filter has to know."""
    if bound is None or not bound.needs_outcomes:
        return {}
    found: dict[str, dict[str, float | None]] = {}
    ids = [document["_id"] for document in documents]
    for (cutout, version), outcome in record.outcomes.find(ids, bound.versions).items():
        found.setdefault(cutout, {})[version] = outcome.score
    return found


def _write_place(place: Place | None) -> str | None:
    if place is None:
        return None
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def _read_place(text: str, *, by_outcomes: bool) -> Place:
    """Only what `_write_place` writes for this kind of page."""
    try:
        score, last = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        is_last = isinstance(last, int) and 0 <= last < _MOST_PASSED if by_outcomes else isinstance(last, str)
        if not isinstance(score, int | float) or not abs(score) < _FAR or not is_last:
            raise TypeError(score, last)
        str(last).encode()  # which MongoDB does, too
    except (ValueError, TypeError) as error:
        raise InvalidRequest(f"place {text[:40]!r}; expected the one that the page before told") from error
    return score, last
