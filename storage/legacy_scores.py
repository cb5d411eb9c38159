"""A predecessor's documents taken in: metadata, ADES and decisions with the cutouts, scores as outcomes.

What is on record stays as it is: what comes again changes nothing, what differs is a conflict that is told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pymongo import UpdateOne

from core.outcome import Outcome
from cutouts.legacy_document import LegacyDocument
from cutouts.nights import Fault
from storage.database import Document
from storage.legacy_versions import legacy_versions
from storage.nights import AdesDocument, Joined, insert_new, metadata_fields, skeleton
from storage.record import Record

ENGINE = "legacy"


@dataclass(frozen=True)
class Taken:
    """What a page of documents changed.

    Parameters
    ----------
    cutouts, metadata, ades, scores : how many are new on record.
    scores_came : how many came, new or not.
    versions : by field, the version that its scores are kept as.
    conflicts : what contradicts the record.
    """

    cutouts: int
    metadata: int
    ades: int
    scores: int
    scores_came: int
    versions: dict[str, str] = field(default_factory=dict)
    conflicts: tuple[Fault, ...] = ()


def take_legacy(
    record: Record,
    documents: Sequence[LegacyDocument],
    families: Mapping[str, str],
    *,
    source: str,
    networks: Mapping[str, str],
) -> Taken:
    """Take in documents of a source; those whose cutouts nobody knows become cutouts without bytes.

    `families` and `networks` are by field, as `legacy_versions` takes them.
    """
    by_id = {document.id: document for document in documents}
    known = record.cutouts.known(list(by_id))
    fresh = [document for name, document in by_id.items() if name not in known]
    inserted = set(_insert(record, fresh, source))
    joined = _join(record, [d for d in documents if d.id not in inserted], source)
    versions = legacy_versions(record.database, source, families, networks)
    outcomes = [Outcome(d.id, versions[name], score) for d in documents for name, score in d.scores.items()]
    scores, conflicts = _insert_scores(record, outcomes, inserted, source)
    return Taken(
        cutouts=len(inserted),
        metadata=joined[0].joined + sum(by_id[name].metadata is not None for name in inserted),
        ades=joined[1].joined + sum(by_id[name].ades is not None for name in inserted),
        scores=scores,
        scores_came=len(outcomes),
        versions=versions,
        conflicts=(*joined[0].conflicts, *joined[1].conflicts, *conflicts),
    )


def _insert(record: Record, documents: Sequence[LegacyDocument], source: str) -> list[str]:
    """Insert cutouts that nobody knows, with all that is said of them; returns the ids of those inserted."""
    cutouts = [
        skeleton(d.id)
        | ({} if d.metadata is None else metadata_fields(d.metadata))
        | ({} if d.ades is None else {"ades": dict(d.ades)})
        | {"legacy": _said(d, source)}
        for d in documents
    ]
    return insert_new(record.database["cutouts"], cutouts)[0] if cutouts else []


def _join(record: Record, documents: Sequence[LegacyDocument], source: str) -> tuple[Joined, Joined]:
    """Join metadata and ADES to cutouts that are known, and note at each, once, what the predecessor said."""
    if not documents:
        return Joined(), Joined()
    metadata = record.nights.join_metadata([d.metadata for d in documents if d.metadata is not None])
    ades = record.nights.join_ades(
        [AdesDocument(f"{d.id} ades", d.id, d.ades) for d in documents if d.ades is not None]
    )
    cutouts = record.database["cutouts"]
    query: Document = {"_id": {"$in": [d.id for d in documents]}, "legacy": {"$exists": False}}
    unmarked = {found["_id"] for found in cutouts.find(query, {"_id": True})}
    if unmarked:
        cutouts.bulk_write(
            [
                UpdateOne({"_id": d.id, "legacy": {"$exists": False}}, {"$set": {"legacy": _said(d, source)}})
                for d in documents
                if d.id in unmarked
            ],
            ordered=False,
        )
    return metadata, ades


def _said(document: LegacyDocument, source: str) -> Document:
    """What the predecessor decided, and when."""
    return {"source": source, "plausible": document.plausible, "last_modified": document.last_modified}


def _insert_scores(
    record: Record, outcomes: Sequence[Outcome], inserted: set[str], source: str
) -> tuple[int, list[Fault]]:
    """Insert scores that are new; returns how many, and those that contradict the record.

    What is known is looked up first: to be told of a thousand duplicate keys takes longer.
    """
    old = {outcome.cutout for outcome in outcomes if outcome.cutout not in inserted}
    there = record.outcomes.existing(old, sorted({outcome.version for outcome in outcomes}))
    missing = [outcome for outcome in outcomes if (outcome.cutout, outcome.version) not in there]
    n = record.outcomes.insert(missing, provenance={"engine": ENGINE, "source": source})
    return n, _contradicting(record, outcomes) if n < len(outcomes) else []


def _contradicting(record: Record, outcomes: Sequence[Outcome]) -> list[Fault]:
    """Scores that are on record with another value, by the same field of the same source."""
    ids, versions = {o.cutout for o in outcomes}, sorted({o.version for o in outcomes})
    known = record.outcomes.find(ids, versions)
    return [
        Fault(
            f"{outcome.cutout} {outcome.version}",
            None,
            "conflict",
            f"the score {outcome.score} came, {known[key].score} is on record; expected the same",
        )
        for outcome in outcomes
        if (key := (outcome.cutout, outcome.version)) in known and known[key].score != outcome.score
    ]
