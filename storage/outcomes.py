"""Outcomes: inserted once, never updated; a duplicate key means that it is done."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from core.job import Rejection
from core.outcome import Departure, Outcome
from cutouts.names import night_of
from storage.database import BY_SCORE, Document, Mongo
from storage.ranking import Ranking, read_ranked

_DUPLICATE_KEY = 11000


class OutcomeRepository:
    """The collection `outcomes`, whose key is {cutout, version}."""

    def __init__(self, database: Mongo) -> None:
        self._outcomes = database["outcomes"]

    def insert(
        self, outcomes: Sequence[Outcome], *, provenance: Mapping[str, Any] | Sequence[Mapping[str, Any]]
    ) -> int:
        """Insert what is not there yet; returns how many were new.

        `provenance` (job, shard, engine, precision, host) is stored with each; several are one for each.
        """
        if not outcomes:
            return 0
        now = datetime.now(UTC)
        each = [provenance] * len(outcomes) if isinstance(provenance, Mapping) else provenance
        documents = [_document(o, now) | dict(its) for o, its in zip(outcomes, each, strict=True)]
        try:
            self._outcomes.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            faults = error.details["writeErrors"]
            if any(fault["code"] != _DUPLICATE_KEY for fault in faults):
                raise
            return len(documents) - len(faults)
        return len(documents)

    def note_not_run(self, outcomes: Iterable[Outcome]) -> None:
        """Note on scores that are on record which versions were not asked for their sake."""
        changes = [
            UpdateOne(
                {"_id": _key(outcome.cutout, outcome.version)},
                {"$set": {f"not_run.{version}": floor for version, floor in outcome.not_run.items()}},
            )
            for outcome in outcomes
            if outcome.not_run
        ]
        if changes:
            self._outcomes.bulk_write(changes, ordered=False)

    def find(self, cutouts: Iterable[str], versions: Sequence[str]) -> dict[tuple[str, str], Outcome]:
        """Outcomes by (cutout, version), of those that exist."""
        keys = [_key(cutout, version) for cutout in cutouts for version in versions]
        if not keys:
            return {}
        found = (_outcome(document) for document in self._outcomes.find({"_id": {"$in": keys}}))
        return {(outcome.cutout, outcome.version): outcome for outcome in found}

    def existing(self, cutouts: Iterable[str], versions: Sequence[str]) -> set[tuple[str, str]]:
        """(cutout, version) of the outcomes that exist, scores and rejections; reads the key alone."""
        keys = [_key(cutout, version) for cutout in cutouts for version in versions]
        if not keys:
            return set()
        found = self._outcomes.find({"_id": {"$in": keys}}, {"_id": True})
        return {(document["_id"]["cutout"], document["_id"]["version"]) for document in found}

    def of_cutout(self, cutout: str) -> list[Document]:
        """All outcomes of one cutout, of every version, as they are stored."""
        return list(
            self._outcomes.find({"_id": {"$gte": {"cutout": cutout}, "$lt": {"cutout": cutout + "\0"}}})
        )

    def nights(self, version: str) -> list[str | None]:
        """The nights of which a version has outcomes, latest first, and None for what is of no night."""
        found = self._outcomes.distinct("night", {"_id.version": version})
        return [*sorted((night for night in found if night), reverse=True), None]

    def scores(
        self, version: str, *, low: float = 0.0, high: float = 1.0, limit: int = 100
    ) -> list[tuple[str, float]]:
        """(cutout, score) of one version with low <= score <= high, highest first."""
        query = {"_id.version": version, "score": {"$gte": low, "$lte": high}}
        wanted = Ranking("outcomes", query, "score", "_id.cutout", -1, BY_SCORE)
        found = read_ranked(
            self._outcomes.database, wanted, self.nights(version), limit=limit, fields={"score": True}
        )
        return [(document["_id"]["cutout"], document["score"]) for document in found]


def _key(cutout: str, version: str) -> Document:
    return {"cutout": cutout, "version": version}  # MongoDB compares subdocuments in this order of fields


def _document(outcome: Outcome, now: datetime) -> Document:
    key = _key(outcome.cutout, outcome.version)
    document: Document = {"_id": key, "night": night_of(outcome.cutout), "at": now}
    if outcome.instrument is not None:
        document["instrument"] = outcome.instrument
    if outcome.rejection is None:
        document["score"] = outcome.score
        if outcome.not_run:
            document["not_run"] = dict(outcome.not_run)
        if outcome.uncalibrated:
            document["uncalibrated"] = [asdict(departure) for departure in outcome.uncalibrated]
    else:
        document["rejection"] = vars(outcome.rejection)
    return document


def _outcome(document: Document) -> Outcome:
    rejection = document.get("rejection")
    return Outcome(
        cutout=document["_id"]["cutout"],
        version=document["_id"]["version"],
        score=document.get("score"),
        rejection=Rejection(**rejection) if rejection else None,
        instrument=document.get("instrument"),
        uncalibrated=tuple(
            Departure(found["quantity"], found["observed"], tuple(found["expected"]))
            for found in document.get("uncalibrated", ())
        ),
        not_run=document.get("not_run", {}),
    )
