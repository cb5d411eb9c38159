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
from storage.nights import AdesDocument, insert_new, skeleton
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
    known = set(record.cutouts.known(list(by_id)))
    metadata = record.nights.join_metadata([d.metadata for d in documents if d.metadata is not None])
    ades = record.nights.join_ades(
        [AdesDocument(f"{d.id} ades", d.id, d.ades) for d in documents if d.ades is not None]
    )
    _mark(record, by_id, source)
    versions = legacy_versions(record.database, source, families, networks)
    outcomes = [Outcome(d.id, versions[name], score) for d in documents for name, score in d.scores.items()]
    scores = record.outcomes.insert(outcomes, provenance={"engine": ENGINE, "source": source})
    conflicts = _contradicting(record, outcomes) if scores < len(outcomes) else []
    return Taken(
        cutouts=len(by_id.keys() - known),
        metadata=metadata.joined,
        ades=ades.joined,
        scores=scores,
        scores_came=len(outcomes),
        versions=versions,
        conflicts=(*metadata.conflicts, *ades.conflicts, *conflicts),
    )


def _mark(record: Record, documents: Mapping[str, LegacyDocument], source: str) -> None:
    """Note at each cutout, once, what the predecessor decided and when; insert those that are not there."""
    cutouts = record.database["cutouts"]
    said: dict[str, Document] = {
        name: {"source": source, "plausible": d.plausible, "last_modified": d.last_modified}
        for name, d in documents.items()
    }
    query: Document = {"_id": {"$in": list(said)}}
    present = {d["_id"]: "legacy" in d for d in cutouts.find(query, {"legacy.source": True})}
    absent = [skeleton(name) | {"legacy": found} for name, found in said.items() if name not in present]
    there = insert_new(cutouts, absent)[1] if absent else []
    unmarked = [name for name, is_marked in present.items() if not is_marked] + there
    if unmarked:
        cutouts.bulk_write(
            [
                UpdateOne({"_id": name, "legacy": {"$exists": False}}, {"$set": {"legacy": said[name]}})
                for name in unmarked
            ],
            ordered=False,
        )


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
