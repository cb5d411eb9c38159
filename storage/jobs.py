"""Jobs: what people asked for. A job that is in this collection was accepted."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from core.errors import Conflict
from core.instrument import Instrument
from core.job import Job, JobKind, JobState
from storage.database import Document, Mongo

_OPEN = [JobState.ACCEPTED, JobState.PLANNING, JobState.RUNNING]
_PLANNED = [JobState.ACCEPTED, JobState.RUNNING]


class JobRepository:
    """The collection `jobs`."""

    def __init__(self, database: Mongo) -> None:
        self._jobs = database["jobs"]

    def accept(self, job: Job, *, idempotency_key: str | None = None, fingerprint: str = "") -> Job:
        """Record a job whose work is recorded already: this insert is the promise that 202 makes.

        Returns the job on record, which is an earlier one where this owner's key was used before.
        Raises Conflict when that key was used for other contents.
        """
        document: Document = {
            "_id": job.id,
            "kind": job.kind,
            "versions": list(job.versions),
            "priority": job.priority,
            "owner": job.owner,
            "items": job.items,
            "shards": job.shards,
            "state": job.state,
            "created": datetime.now(UTC),
            "rank": job.rank,
        }
        if job.selection is not None:
            document["selection"] = job.selection
        if job.share is not None:
            document["share"] = job.share
        if job.cascade is not None:
            document["cascade"] = job.cascade
        if job.instrument is not None:
            document["instrument"] = asdict(job.instrument)
        if idempotency_key is not None:
            document["idempotency"] = {"key": idempotency_key, "fingerprint": fingerprint}
        try:
            self._jobs.insert_one(document)
        except DuplicateKeyError:
            return self._earlier(job.owner, str(idempotency_key), fingerprint)
        return _job(document)

    def get(self, job: str) -> Job | None:
        """One job."""
        document = self._jobs.find_one({"_id": job})
        return None if document is None else _job(document)

    def get_all(self, jobs: Sequence[str]) -> dict[str, Job]:
        """Those of these jobs that are on record, by id."""
        return {d["_id"]: _job(d) for d in self._jobs.find({"_id": {"$in": list(jobs)}})}

    def newest(self, limit: int, *, before: str | None = None) -> list[Job]:
        """Jobs, newest first, those older than the id `before`."""
        query: Document = {} if before is None else {"_id": {"$lt": before}}
        return [_job(document) for document in self._jobs.find(query).sort("_id", -1).limit(limit)]

    def start(self, job: str) -> Job | None:
        """Note that somebody works on the job; returns it, or None when there is nothing to work on."""
        found = self.get(job)  # most are running already, and a write, even of nothing, waits for the journal
        if found is not None and found.state is JobState.ACCEPTED:
            self._jobs.update_one(
                {"_id": job, "state": JobState.ACCEPTED},
                {"$set": {"state": JobState.RUNNING, "started": datetime.now(UTC)}},
            )
            found = self.get(job)
        return found if found is not None and not found.state.ended else None

    def start_together(self, jobs: Collection[str]) -> dict[str, Job]:
        """The same of several; those that there is something to work on, by id."""
        found = self.get_all(list(jobs))
        if accepted := [job for job, its in found.items() if its.state is JobState.ACCEPTED]:
            self._jobs.update_many(
                {"_id": {"$in": accepted}, "state": JobState.ACCEPTED},
                {"$set": {"state": JobState.RUNNING, "started": datetime.now(UTC)}},
            )
            found |= self.get_all(accepted)
        return {job: its for job, its in found.items() if not its.state.ended}

    def finish_together(self, jobs: Collection[str]) -> None:
        """Note that every shard of these is done, of those that had not ended before and are planned."""
        ended = {"state": JobState.FINISHED, "finished": datetime.now(UTC), "untold": True}
        self._jobs.update_many({"_id": {"$in": list(jobs)}, "state": {"$in": _PLANNED}}, {"$set": ended})

    def finish(self, job: str) -> bool:
        """Note that every shard is done; False when the job had ended before, or is not planned yet."""
        return self._end(job, JobState.FINISHED, of=_PLANNED)

    def cancel(self, job: str) -> bool:
        """Note that nobody wants the rest; False when the job had ended before."""
        return self._end(job, JobState.CANCELLED)

    def fail(self, job: str, failure: str) -> bool:
        """Note that the rest can't be done, and why; False when the job had ended before."""
        return self._end(job, JobState.FAILED, failure=failure)

    def open_ids(self, *kinds: JobKind) -> list[str]:
        """Ids of the jobs of these kinds that have not ended; of those that score where none is named."""
        query = {"state": {"$in": _OPEN}, "kind": {"$in": kinds or ("score", "rescore")}}
        return [d["_id"] for d in self._jobs.find(query, {"_id": True})]

    def any_wanted(self) -> bool:
        """Whether a job that scores is to be worked on: it has not ended and is not paused."""
        query = {"state": {"$in": _OPEN}, "kind": {"$in": ("score", "rescore")}, "paused": {"$ne": True}}
        return self._jobs.find_one(query, {"_id": True}) is not None

    def claim_plan(self, *, planner: str, lease_s: float) -> Job | None:
        """A job whose plan nobody works on, of the highest rank, to be planned until the lease runs out."""
        until = {"$dateAdd": {"startDate": "$$NOW", "unit": "millisecond", "amount": int(lease_s * 1000)}}
        free = {"$or": [{"planner": None}, {"$expr": {"$lt": ["$planned_until", "$$NOW"]}}]}
        unplanned = {"state": JobState.PLANNING, **free}
        if self._jobs.find_one(unplanned, {"_id": True}) is None:
            return None  # for a write of nothing, too, waits for the journal
        document = self._jobs.find_one_and_update(
            unplanned,
            [{"$set": {"planner": {"$literal": planner}, "planned_until": until}}],
            sort=[("rank", -1), ("_id", 1)],
            return_document=ReturnDocument.AFTER,
        )
        return None if document is None else _job(document)

    def renew_plan(self, job: str, *, planner: str, lease_s: float) -> Job | None:
        """Extend the lease on a plan; the job as it is, or None when it ended or somebody else plans it."""
        until = {"$dateAdd": {"startDate": "$$NOW", "unit": "millisecond", "amount": int(lease_s * 1000)}}
        document = self._jobs.find_one_and_update(
            {"_id": job, "state": JobState.PLANNING, "planner": planner},
            [{"$set": {"planned_until": until}}],
            return_document=ReturnDocument.AFTER,
        )
        return None if document is None else _job(document)

    def end_plan(self, job: str, *, planner: str, items: int, shards: int) -> bool:
        """Note that all shards of a job are on record; False when it ended or somebody else plans it."""
        ended = self._jobs.update_one(
            {"_id": job, "state": JobState.PLANNING, "planner": planner},
            {
                "$set": {"state": JobState.RUNNING, "items": items, "shards": shards},
                "$unset": {"planner": "", "planned_until": ""},
            },
        )
        return ended.modified_count == 1

    def set_paused(self, job: str, *, paused: bool) -> bool:
        """Note whether a job is paused; False when it has ended."""
        changed = self._jobs.update_one({"_id": job, "state": {"$in": _OPEN}}, {"$set": {"paused": paused}})
        return changed.matched_count == 1

    def set_rank(self, job: str, rank: int) -> bool:
        """Note a job's rank; False when it has ended."""
        changed = self._jobs.update_one({"_id": job, "state": {"$in": _OPEN}}, {"$set": {"rank": rank}})
        return changed.matched_count == 1

    def shares(self) -> dict[str, float]:
        """By job, the share of the workers that it may take, of those that have a limit."""
        found = self._jobs.find({"state": {"$in": _OPEN}, "share": {"$exists": True}}, {"share": True})
        return {document["_id"]: float(document["share"]) for document in found}

    def untold(self, *, limit: int) -> list[Job]:
        """Jobs that have ended and of whose end no subscriber was told yet."""
        return [_job(document) for document in self._jobs.find({"untold": True}).limit(limit)]

    def note_told(self, jobs: Sequence[str]) -> None:
        """Subscribers were told of these."""
        self._jobs.update_many({"_id": {"$in": list(jobs)}}, {"$unset": {"untold": ""}})

    def ended(self, jobs: Sequence[str]) -> set[str]:
        """Which of these jobs have ended."""
        query = {"_id": {"$in": list(jobs)}, "state": {"$nin": _OPEN}}
        return {d["_id"] for d in self._jobs.find(query, {"_id": True})}

    def _end(self, job: str, state: JobState, *, of: Sequence[JobState] = tuple(_OPEN), **more: str) -> bool:
        change = {"state": state, "finished": datetime.now(UTC), "untold": True} | more
        ended = self._jobs.update_one({"_id": job, "state": {"$in": list(of)}}, {"$set": change})
        return ended.modified_count == 1

    def _earlier(self, owner: str, key: str, fingerprint: str) -> Job:
        document = self._jobs.find_one({"owner": owner, "idempotency.key": key})
        if document is None or document["idempotency"]["fingerprint"] != fingerprint:
            raise Conflict(f"Idempotency-Key {key!r} was used for a job with other contents")
        return _job(document)


def _job(document: Document) -> Job:
    return Job(
        id=document["_id"],
        kind=document["kind"],
        versions=tuple(document["versions"]),
        priority=document["priority"],
        owner=document["owner"],
        items=document["items"],
        shards=document["shards"],
        state=JobState(document["state"]),
        created=document["created"],
        started=document.get("started"),
        finished=document.get("finished"),
        failure=document.get("failure"),
        instrument=Instrument(**document["instrument"]) if "instrument" in document else None,
        selection=document.get("selection"),
        rank=document.get("rank", 0),
        share=document.get("share"),
        paused=document.get("paused", False),
        cascade=document.get("cascade"),
    )
