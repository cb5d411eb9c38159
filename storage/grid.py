"""Cutouts to look at: a page of them in an order that an index keeps, however many there are.

What the controls of a page ask is asked of MongoDB as it is; a filter in words is decided here, on each
document that may match. A page is named by where the one before it ended: a score and an id.
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
from storage.database import BY_RB, BY_SCORE, PLAUSIBLE_BY_RB, REJECTIONS, Document
from storage.filter_query import query as filter_query
from storage.ranking import Ranking, read_ranked
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
_FAR = 1e9  # no score is that far off
_LEFT_OUT: Document = {"ades": False}
_ANY_REASON: Document = {"rejection.reason": {"$gt": ""}}

Place = tuple[float | str, str]
"""Where a page ends: the score that it is ordered by, or of rejections the reason, and an id."""


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
    place = None if after is None else _read_place(after, of_rejections=sought.rejection is not None)
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
    if sought.text or (sought.by_outcomes and sought.exact):
        found = 0
        for looked_at, (shown, _) in enumerate(_candidates(record, sought, None, _CHUNK), 1):
            found += shown is not None
            if looked_at == LOOKED_AT:
                return Counted(found, at_least=True)
        return Counted(found, at_least=False)
    wanted = ranking(sought, None)
    query = wanted.query if sought.by_outcomes else wanted.of(nights_of(record, sought))
    number = record.database[wanted.collection].count_documents(
        query, limit=MOST_COUNTED + 1, maxTimeMS=_SLOWEST_MS, hint=str(wanted.index)
    )
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


def nights_of(record: Record, sought: Sought) -> list[str | None]:
    """The nights among which cutouts are sought, latest first, and None for what is of no night."""
    if sought.version is not None:
        return record.outcomes.nights(sought.version)
    return [sought.exact["night"]] if "night" in sought.exact else [*nights(record), None]


def ranking(sought: Sought, place: Place | None) -> Ranking:
    """What is asked, of `outcomes` or of `cutouts`, and in which order, which an index keeps.

    With a filter in words MongoDB chooses: another index may find the few that match.
    """
    if sought.rejection is not None:
        return _rejected(sought, place)
    direction, beyond = (1, "$gt") if sought.order == "low" else (-1, "$lt")
    parts: list[Document]
    if sought.by_outcomes:
        low = nextafter(sought.low, -1)  # one value alone would be read forwards, whatever the order
        parts = [{"_id.version": sought.version}, {"score": {"$gte": low, "$lte": sought.high}}]
        parts += _further("score", "_id.cutout", beyond, place)
        return Ranking("outcomes", {"$and": parts}, "score", "_id.cutout", direction, BY_SCORE)
    index = PLAUSIBLE_BY_RB if sought.exact.get("plausible") is True else BY_RB
    parts = [sought.exact] if sought.exact else []
    if sought.text:
        parts.append(filter_query(bind(parse(sought.text), {})))
    parts += [{LEADING: {"$gte": 0}}, *_further(LEADING, "_id", beyond, place)]
    return Ranking("cutouts", {"$and": parts}, LEADING, "_id", direction, None if sought.text else index)


def _rejected(sought: Sought, place: Place | None) -> Ranking:
    """By their reasons."""
    reason = "rejection.reason"
    parts: list[Document] = [
        {"_id.version": sought.version},
        _ANY_REASON if sought.rejection == ANY else {reason: sought.rejection},
    ]
    query = {"$and": [*parts, *_further(reason, "_id.cutout", "$gt", place)]}
    return Ranking("outcomes", query, reason, "_id.cutout", 1, REJECTIONS, is_nightly=False)


def _further(score: str, name: str, beyond: str, place: Place | None) -> list[Document]:
    """What comes after a place."""
    if place is None:
        return []
    return [
        {score: {f"{beyond}e": place[0]}},
        {"$or": [{score: {beyond: place[0]}}, {name: {beyond: place[1]}}]},
    ]


def _candidates(
    record: Record, sought: Sought, place: Place | None, size: int
) -> Iterator[tuple[Shown | None, Place]]:
    """What may be sought, in order, each with its place; None for what turns out not to be."""
    bound = bind(parse(sought.text), {}) if sought.text else None
    among = nights_of(record, sought)
    while True:
        chunk = (_by_outcomes if sought.by_outcomes else _by_cutouts)(record, sought, place, among, size)
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


def _by_cutouts(
    record: Record, sought: Sought, place: Place | None, among: Sequence[str | None], size: int
) -> Chunk:
    wanted = ranking(sought, place)
    found = read_ranked(record.database, wanted, among, limit=size, fields=_LEFT_OUT, slowest_ms=_SLOWEST_MS)
    return [(Shown(document), wanted.place(document)) for document in found]


def _by_outcomes(
    record: Record, sought: Sought, place: Place | None, among: Sequence[str | None], size: int
) -> Chunk:
    wanted = ranking(sought, place)
    found = read_ranked(record.database, wanted, among, limit=size, slowest_ms=_SLOWEST_MS)
    ids = {outcome["_id"]["cutout"] for outcome in found}
    meant = {"$and": [{"_id": {"$in": list(ids)}}, *([sought.exact] if sought.exact else [])]}
    documents = {d["_id"]: d for d in record.database["cutouts"].find(meant, _LEFT_OUT)}
    chunk: Chunk = []
    for outcome in found:
        name = outcome["_id"]["cutout"]
        document = documents.get(name, None if sought.exact else {"_id": name})
        shown = None if document is None else Shown(document, outcome)
        chunk.append((shown, wanted.place(outcome)))
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


def _read_place(text: str, *, of_rejections: bool) -> Place:
    """Only what `_write_place` writes for this kind of page."""
    try:
        score, last = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        is_first = isinstance(score, str) if of_rejections else _is_score(score)
        if not is_first or not isinstance(last, str):
            raise TypeError(score, last)
        f"{score}{last}".encode()  # which MongoDB does, too
    except (ValueError, TypeError) as error:
        raise InvalidRequest(f"place {text[:40]!r}; expected the one that the page before told") from error
    return score, last


def _is_score(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) < _FAR
