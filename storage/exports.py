"""Scores taken out: rows of a job's items, or of the cutouts that a filter is true of, in bounded memory."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic

from core.errors import NotFound
from core.job import Item, Job
from cutouts.names import night_of
from storage.database import Document
from storage.record import Record
from storage.results import Result, joined, results_by_shard
from storage.selection import CHUNK, PATIENCE_MS, bound_text, matching

LOOKED_AT = 20_000
"""Cutouts that a page looks at, at most, so that a filter that is true of few does not hold it up."""
PAGE_S = 5
"""And for how long."""
_AT_ONCE = 200


@dataclass(frozen=True)
class Row:
    """A result and the night of its cutout, `YYYYMMDD` (UTC), None where it is of none.

    A version without a score, where there is no rejection, has not scored the cutout yet, or was not run.
    """

    result: Result
    night: str | None


@dataclass(frozen=True)
class RowPage:
    """Some rows, and the id after which the next page begins; None at the end."""

    rows: list[Row]
    next: str | None


@dataclass(frozen=True)
class Asked:
    """Which cutouts and whose scores: a filter that names exact versions, and thresholds by version."""

    filter: str
    thresholds: dict[str, float]


def asked(record: Record, text: str, wanted: Sequence[str]) -> Asked:
    """What a filter and some versions, or without any those in production, mean at one moment.

    Archived versions may be named: what they scored stays. Raises InvalidRequest for what is no filter and
    for a version that is unknown.
    """
    while True:
        production = record.models.production()
        found = Asked(bound_text(record, text), thresholds_of(record, _exact(record, wanted)))
        if record.models.production() == production:  # no promotion came between
            return found


def thresholds_of(record: Record, versions: Sequence[str]) -> dict[str, float]:
    """The thresholds of versions by name, in their order."""
    thresholds = record.models.thresholds(versions)
    return {version: thresholds[version] for version in versions}


def job_rows(record: Record, job: Job, thresholds: Mapping[str, float]) -> Iterator[list[Row]]:
    """Every item of a job, in order, those of a shard at a time; also what has no outcome yet."""
    for results in results_by_shard(record, job, thresholds):
        known = record.cutouts.known([result.cutout for result in results if result.cutout is not None])
        nights = {cutout: found.night for cutout, found in known.items()}
        yield [Row(result, _night(result.cutout, nights.get(result.cutout or ""))) for result in results]


def cutout_rows(record: Record, text: str, thresholds: Mapping[str, float]) -> Iterator[list[Row]]:
    """The cutouts that a bound filter is true of, by id, also those that no version has scored yet."""
    for chunk in matching(record, text, slowest_ms=PATIENCE_MS):
        yield _rows(record, chunk.documents, thresholds)


def chosen_rows(record: Record, ids: Sequence[str], thresholds: Mapping[str, float]) -> Iterator[list[Row]]:
    """The cutouts with these ids, in their order. Raises NotFound where some are not on record."""
    parts = [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]
    known = {cutout for part in parts for cutout in record.cutouts.known(part)}
    if missing := [cutout for cutout in ids if cutout not in known]:
        raise NotFound(
            f"{len(missing)} of {len(ids)} cutouts are not on record, such as {missing[0][:100]!r}"
        )
    for part in parts:
        documents = record.database["cutouts"].find({"_id": {"$in": part}}, {"ades": False})
        found = {document["_id"]: document for document in documents}
        yield _rows(record, [found[cutout] for cutout in part], thresholds)


def cutout_page(
    record: Record, text: str, thresholds: Mapping[str, float], *, after: str | None, limit: int
) -> RowPage:
    """At most `limit` of those cutouts whose id is above `after`.

    Fewer, or none, though there are more, after a look at LOOKED_AT cutouts or after PAGE_S.
    """
    found: list[Document] = []
    looked_at = 0
    until, size = monotonic() + PAGE_S, max(limit + 1, _AT_ONCE)
    for chunk in matching(record, text, after=after, size=size, slowest_ms=PAGE_S * 1000):
        found += chunk.documents
        looked_at += size
        if len(found) > limit:
            return RowPage(_rows(record, found[:limit], thresholds), found[limit - 1]["_id"])
        if looked_at >= LOOKED_AT or monotonic() > until:
            return RowPage(_rows(record, found, thresholds), chunk.last)
    return RowPage(_rows(record, found, thresholds), None)


def _exact(record: Record, wanted: Sequence[str]) -> list[str]:
    if not wanted:
        return list(record.models.resolve(()))
    registered = {card.version for card, _ in record.models.all()}
    found = [[name] if name in registered else record.models.resolve([name]) for name in wanted]
    return list(dict.fromkeys(version for versions in found for version in versions))


def _rows(record: Record, documents: Sequence[Document], thresholds: Mapping[str, float]) -> list[Row]:
    items = [
        Item(name=str(d.get("reference") or d["_id"]), cutout=d["_id"], sha256=d["sha256"]) for d in documents
    ]
    results = joined(record, items, list(thresholds), thresholds)
    return [
        Row(result, _night(document["_id"], document.get("night")))
        for result, document in zip(results, documents, strict=True)
    ]


def _night(cutout: str | None, recorded: object) -> str | None:
    if isinstance(recorded, str):
        return recorded
    return None if cutout is None else night_of(cutout)
