"""Trainings and their leases: as with shards, the database's clock says who may work on what."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import ReturnDocument

from core.training import Checkpoint, Training, TrainingLease, TrainingRequest
from storage.database import Document, Mongo

_EXPIRED = {"state": "leased", "$expr": {"$lt": ["$lease_until", "$$NOW"]}}
_CLAIMABLE = {"$or": [{"state": "waiting"}, _EXPIRED]}
_OPEN = {"state": {"$in": ["waiting", "leased"]}}


class TrainingRepository:
    """The collection `trainings`, one document for each training job: waiting, leased, done or cancelled."""

    def __init__(self, database: Mongo, *, lease_s: float = 10.0) -> None:
        self._trainings = database["trainings"]
        self._lease_ms = int(lease_s * 1000)

    def insert(self, job: str, request: TrainingRequest) -> None:
        """Record what is wanted of a job that is not accepted yet."""
        self._trainings.insert_one(
            {
                "_id": job,
                "request": asdict(request),
                "state": "waiting",
                "doing": "waiting",
                "attempts": 0,
                "tries": 0,
                "epochs": [],
                "told": None,
                "created": datetime.now(UTC),
            }
        )

    def remove(self, job: str) -> None:
        """Forget the training of a job that was never accepted."""
        self._trainings.delete_one({"_id": job})

    def get(self, job: str) -> Training | None:
        """How far a training is."""
        document = self._trainings.find_one({"_id": job})
        return None if document is None else _training(document)

    def of(self, jobs: Sequence[str]) -> dict[str, Training]:
        """How far several are, by job."""
        return {d["_id"]: _training(d) for d in self._trainings.find({"_id": {"$in": list(jobs)}})}

    def is_claimable(self, job: str) -> bool:
        """Whether a claim would lease a training now."""
        return self._trainings.count_documents({"_id": job, **_CLAIMABLE}, limit=1) == 1

    def claim(self, job: str, *, worker: str) -> TrainingLease | None:
        """Lease a training, or None when it is done, cancelled, unknown or somebody else's."""
        document = self._trainings.find_one_and_update(
            {"_id": job, **_CLAIMABLE},
            [
                {
                    "$set": {
                        "state": "leased",
                        "token": secrets.token_hex(8),
                        "worker": {"$literal": worker},
                        "attempts": {"$add": ["$attempts", 1]},
                        "tries": {"$add": ["$tries", 1]},
                        "lease_until": self._lease_end(),
                    }
                }
            ],
            return_document=ReturnDocument.AFTER,
        )
        return None if document is None else _lease(document)

    def held(self, job: str, token: str) -> TrainingLease | None:
        """The lease of this token, or None when it was lost."""
        document = self._trainings.find_one({"_id": job, "state": "leased", "token": token})
        return None if document is None else _lease(document)

    def renew(self, lease: TrainingLease) -> bool:
        """Extend a lease; False when it was lost or the job was cancelled."""
        return self._change(lease, [{"$set": {"lease_until": self._lease_end()}}])

    def note(self, lease: TrainingLease, **told: str) -> bool:
        """Note `doing`, `device` or `last_error`; False when the lease was lost."""
        return self._change(lease, {"$set": told})

    def record_epoch(
        self,
        lease: TrainingLease,
        figures: Mapping[str, Any],
        checkpoint: Checkpoint,
        *,
        instead_of: Checkpoint | None = None,
    ) -> bool:
        """Add an epoch's figures and the checkpoint after it, in one step; False when the lease was lost.

        The one that it replaces is noted, for whoever removes what is not needed.
        """
        change: Document = {
            "$push": {"epochs": dict(figures)},
            "$set": {"checkpoint": asdict(checkpoint), "tries": 1},
            "$unset": {"last_error": ""},
        }
        if instead_of is not None and instead_of.sha256 != checkpoint.sha256:
            change["$addToSet"] = {"replaced": instead_of.sha256}
        return self._change(lease, change)

    def set_aside(self, lease: TrainingLease, version: str) -> bool:
        """Note the version that the result is to be registered as; False when the lease was lost."""
        return self._change(lease, {"$set": {"version": version}})

    def release(self, lease: TrainingLease, *, counts: bool) -> None:
        """Give a training back unfinished, to be claimed at once; `counts` when this was a failed try."""
        change: Document = {
            "$set": {"state": "waiting", "doing": "waiting", "told": None},
            "$unset": {"token": "", "lease_until": ""},
        }
        if not counts:
            change["$inc"] = {"tries": -1}
        self._change(lease, change)

    def close(self, lease: TrainingLease) -> bool:
        """Record a training as done, on its token; False when the lease was lost, which changes nothing."""
        done = {"state": "done", "doing": "done", "closed": datetime.now(UTC)}
        return self._change(lease, {"$set": done, "$unset": {"token": "", "lease_until": ""}})

    def cancel(self, job: str) -> bool:
        """Cancel a training that is not done; who works on it loses its lease."""
        cancelled = self._trainings.update_one(
            {"_id": job, **_OPEN},
            {"$set": {"state": "cancelled", "doing": "cancelled"}, "$unset": {"token": "", "version": ""}},
        )
        return cancelled.modified_count == 1

    def free_expired(self) -> int:
        """Return trainings whose lease ran out to waiting, to be told of at once; returns how many."""
        if self._trainings.find_one(_EXPIRED, {"_id": True}) is None:
            return 0  # for a write of nothing, too, waits for the journal
        change = {"$set": {"state": "waiting", "told": None}, "$unset": {"token": "", "lease_until": ""}}
        return self._trainings.update_many(_EXPIRED, change).modified_count

    def waiting(self, *, limit: int) -> int:
        """How many trainings nobody works on, counted up to `limit`."""
        return self._trainings.count_documents({"state": "waiting"}, limit=limit)

    def longest_untold(self, limit: int) -> list[str]:
        """Waiting jobs, those never told of first, then the longest ago."""
        found = self._trainings.find({"state": "waiting"}, {"_id": True}).sort("told", 1).limit(limit)
        return [document["_id"] for document in found]

    def mark_told(self, jobs: Sequence[str]) -> None:
        """Note that messages were sent for these jobs now."""
        if jobs:
            self._trainings.update_many({"_id": {"$in": list(jobs)}}, [{"$set": {"told": "$$NOW"}}])

    def unfinished(self, jobs: Sequence[str]) -> set[str]:
        """Those of these whose training is open, or has checkpoints that are still to be removed."""
        kept: Document = {
            "$or": [_OPEN, {"checkpoint": {"$exists": True}}, {"replaced.0": {"$exists": True}}]
        }
        found = self._trainings.find({"_id": {"$in": list(jobs)}} | kept, {"_id": True})
        return {document["_id"] for document in found}

    def is_done(self, job: str) -> bool:
        """Whether a training has come to its end."""
        return self._trainings.find_one({"_id": job, "state": "done"}, {"_id": True}) is not None

    def open_jobs(self) -> list[str]:
        """Jobs whose training is waiting or leased."""
        return [document["_id"] for document in self._trainings.find(_OPEN, {"_id": True})]

    def orphans(self, *, older_than_s: float) -> list[str]:
        """Ids of jobs that have an old training but were never accepted."""
        before = datetime.now(UTC) - timedelta(seconds=older_than_s)
        pipeline: list[Mapping[str, Any]] = [
            {"$match": {"state": "waiting", "created": {"$lt": before}}},
            {"$lookup": {"from": "jobs", "localField": "_id", "foreignField": "_id", "as": "job"}},
            {"$match": {"job": []}},
        ]
        return [document["_id"] for document in self._trainings.aggregate(pipeline)]

    def spent_checkpoints(self) -> list[tuple[str, str]]:
        """(job, sha256) of checkpoints that were replaced, or whose training has ended, and nobody needs."""
        ended: Document = {"state": {"$in": ["done", "cancelled"]}, "checkpoint": {"$exists": True}}
        found = self._trainings.find(
            {"$or": [ended, {"replaced.0": {"$exists": True}}]},
            {"state": True, "checkpoint": True, "replaced": True},
        )
        spent = [(document["_id"], sha256) for document in found for sha256 in _spent(document)]
        needed = set(self._trainings.distinct("checkpoint.sha256", _OPEN)) if spent else set()
        return [(job, sha256) for job, sha256 in spent if sha256 not in needed]

    def forget_checkpoint(self, job: str, sha256: str) -> None:
        """Note that this spent checkpoint is no longer there."""
        self._trainings.update_one({"_id": job}, {"$pull": {"replaced": sha256}})
        self._trainings.update_one({"_id": job, "checkpoint.sha256": sha256}, {"$unset": {"checkpoint": ""}})

    def _change(self, lease: TrainingLease, change: Document | list[Document]) -> bool:
        held = {"_id": lease.job, "state": "leased", "token": lease.token}
        return self._trainings.update_one(held, change).matched_count == 1

    def _lease_end(self) -> Document:
        return {"$dateAdd": {"startDate": "$$NOW", "unit": "millisecond", "amount": self._lease_ms}}


def _spent(document: Document) -> list[str]:
    replaced: list[str] = document.get("replaced", [])
    if document["state"] in ("done", "cancelled") and "checkpoint" in document:
        return [*replaced, document["checkpoint"]["sha256"]]
    return replaced


def _lease(document: Document) -> TrainingLease:
    checkpoint = document.get("checkpoint")
    return TrainingLease(
        job=document["_id"],
        token=document["token"],
        request=TrainingRequest(**document["request"]),
        tries=document["tries"],
        checkpoint=Checkpoint(**checkpoint) if checkpoint else None,
        version=document.get("version"),
        last_error=document.get("last_error"),
    )


def _training(document: Document) -> Training:
    return Training(
        job=document["_id"],
        request=TrainingRequest(**document["request"]),
        doing=document["doing"],
        device=document.get("device"),
        attempts=document["attempts"],
        epochs=tuple(document["epochs"]),
        version=document.get("version") if document["state"] == "done" else None,
    )
