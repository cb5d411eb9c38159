"""Shards and their leases: who may work on what, by the database's own clock."""

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from pymongo import ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError

from core.job import Item, JobState, Lease, Priority, Progress, Rejection, ShardResult
from storage.database import Document, Mongo

RECENT = 20
SILENCE_MS = 5000  # a worker is not thought gone sooner
_DUPLICATE_KEY = 11000
_EXPIRED = {"state": "leased", "$expr": {"$lt": ["$lease_until", "$$NOW"]}}
_CLAIMABLE = {"$or": [{"state": "waiting"}, _EXPIRED]}
_OPEN = ["waiting", "leased", "paused"]


@dataclass(frozen=True)
class WaitingShard:
    """A shard that nobody works on: how many items it has, how often it was claimed, and whether some item
    refers to a file elsewhere."""

    job: str
    n: int
    size: int
    attempts: int
    refers: bool


class ShardRepository:
    """The collection `shards`: waiting, leased, paused, done or cancelled; and which items each holds."""

    def __init__(self, database: Mongo, *, lease_s: float = 10.0) -> None:
        self._shards = database["shards"]
        self._lease_ms = int(lease_s * 1000)

    def insert(self, job: str, shards: Iterable[Sequence[Item]], *, priority: Priority, rank: int = 0) -> int:
        """Record shards 0, 1, 2, … of a job that is not accepted yet; returns how many."""
        count = 0
        for n, items in enumerate(shards):
            self._shards.insert_one(_shard_document(job, n, items, priority=priority, rank=rank))
            count += 1
        return count

    def append(
        self,
        job: str,
        shards: Mapping[int, Sequence[Item]],
        *,
        priority: Priority,
        rank: int,
        paused: bool,
    ) -> bool:
        """Record the next shards of a job that is being planned, in their order.

        False when somebody else has recorded one of these numbers: it stays, and none after it is recorded.
        """
        documents = [
            _shard_document(job, n, items, priority=priority, rank=rank, paused=paused)
            for n, items in shards.items()
        ]
        try:
            self._shards.insert_many(documents, ordered=True)
        except BulkWriteError as error:
            if any(fault["code"] != _DUPLICATE_KEY for fault in error.details["writeErrors"]):
                raise
            return False
        return True

    def last(self, job: str) -> tuple[int, Item] | None:
        """The number of a job's last shard and the last item in it; None where there is none."""
        found = self._shards.find_one(_of_job(job), {"items": {"$slice": -1}}, sort=[("_id.n", -1)])
        return None if found is None else (found["_id"]["n"], _item(found["items"][0]))

    def remove(self, job: str) -> None:
        """Forget the shards of a job that was never accepted."""
        self._shards.delete_many({"_id.job": job})

    def claim(self, job: str, n: int, *, worker: str, priority: Priority | None = None) -> Lease | None:
        """Lease one shard, or None when it is done, cancelled, unknown, not that urgent or another's."""
        query: Document = {"_id": _key(job, n), **_CLAIMABLE}
        if priority is not None:
            query["priority"] = priority
            if (
                self._shards.find_one(query, {"_id": True}) is None
            ):  # a claim of nothing waits for the journal
                return None
        return self._claim(query, worker=worker)

    def claim_waiting(
        self, priority: Priority, *, worker: str, passing_over: Collection[str] = ()
    ) -> Lease | None:
        """Lease the oldest shard of the highest rank that nobody works on, passing over some jobs."""
        query: Document = {"state": "waiting", "priority": priority}
        if passing_over:
            query["_id.job"] = {"$nin": list(passing_over)}
        if self._shards.find_one(query, {"_id": True}) is None:  # a claim of nothing waits for the journal
            return None
        return self._claim(query, worker=worker, oldest=True)

    def is_live(self, job: str, n: int) -> bool:
        """Whether people wait for a shard, or waited."""
        return self._shards.find_one({"_id": _key(job, n), "priority": "live"}, {"_id": True}) is not None

    def waiting_live(self, *, limit: int) -> list[WaitingShard]:
        """The live shards that nobody works on whose turn is next, in their order."""
        seen = {"size": True, "attempts": True, "items.reference": True}
        found = self._shards.find({"state": "waiting", "priority": "live"}, seen)
        return [
            WaitingShard(
                job=document["_id"]["job"],
                n=document["_id"]["n"],
                size=document["size"],
                attempts=document["attempts"],
                refers=any("reference" in item for item in document["items"]),
            )
            for document in found.sort([("rank", -1), ("_id", 1)]).limit(limit)
        ]

    def claim_together(self, shards: Sequence[WaitingShard], *, worker: str) -> list[Lease]:
        """Lease those of these shards that still wait, in one step, each under a lease of its own."""
        keys = [_key(shard.job, shard.n) for shard in shards]
        token = secrets.token_hex(8)
        waiting = {"_id": {"$in": keys}, "state": "waiting"}
        if not keys or not self._shards.update_many(waiting, self._leased(worker, token)).matched_count:
            return []
        found = self._shards.find({"_id": {"$in": keys}, "state": "leased", "token": token})
        return [_lease(document) for document in found.sort([("rank", -1), ("_id", 1)])]

    def renew(self, *leases: Lease) -> bool:
        """Extend leases; False when all were lost, or their jobs cancelled."""
        renewed = self._shards.update_many(
            self._any_held(leases), [{"$set": {"lease_until": self._lease_end()}}]
        )
        return renewed.matched_count > 0

    def suspect(self, lease: Lease, index: int) -> None:
        """Note that this item is worked on alone, so that it is known should the worker die of it."""
        suspicion = {f"suspicions.{index}": lease.token}
        self._shards.update_one(self._held(lease), {"$addToSet": suspicion})

    def acquit(self, lease: Lease, index: int) -> None:
        """Note that the worker outlived this item, also where it has lost the lease since."""
        suspicion = {f"suspicions.{index}": lease.token}
        self._shards.update_one({"_id": _key(lease.job, lease.n)}, {"$pull": suspicion})

    def release(self, lease: Lease, *, counts: bool = True) -> None:
        """Give a shard back unfinished, to be claimed at once by anyone; `counts` when this was a try."""
        change: Document = {
            "$set": {"state": "waiting", "told": None},
            "$unset": {"token": "", "lease_until": ""},
        }
        if not counts:
            change["$inc"] = {"attempts": -1}
        self._shards.update_one(self._held(lease), change)

    def close(self, lease: Lease, result: ShardResult) -> bool:
        """Record a shard as done, on its token; False when the lease was lost, which changes nothing."""
        return self._shards.update_one(self._held(lease), _closing(result)).matched_count == 1

    def close_together(self, results: Sequence[tuple[Lease, ShardResult]]) -> int:
        """The same of several shards; returns how many leases were not lost."""
        changes = [UpdateOne(self._held(lease), _closing(result)) for lease, result in results]
        return self._shards.bulk_write(changes, ordered=False).matched_count

    def untold(self, *, limit: int) -> list[tuple[str, int]]:
        """(job, n) of closed shards of whose scores no subscriber was told yet."""
        found = self._shards.find({"untold": True}, {"_id": True}).limit(limit)
        return [(document["_id"]["job"], document["_id"]["n"]) for document in found]

    def note_told(self, shards: Sequence[tuple[str, int]]) -> None:
        """Subscribers were told of these."""
        keys = [_key(job, n) for job, n in shards]
        self._shards.update_many({"_id": {"$in": keys}}, {"$unset": {"untold": ""}})

    def cancel(self, job: str) -> int:
        """Cancel every shard that is not done; who works on one loses its lease. Returns how many."""
        cancelled = self._shards.update_many(
            {"_id.job": job, "state": {"$in": _OPEN}},
            {"$set": {"state": "cancelled"}, "$unset": {"token": ""}},
        )
        return cancelled.modified_count

    def pause(self, job: str) -> None:
        """Let nobody work on a job; who does loses its lease, and what is scored stays.

        A claim that is taken back so does not count as one that failed.
        """
        paused: Document = {
            "$set": {"state": "paused", "told": None},
            "$unset": {"token": "", "lease_until": ""},
        }
        self._shards.update_many({"_id.job": job, "state": "waiting"}, paused)
        self._shards.update_many({"_id.job": job, "state": "leased"}, {**paused, "$inc": {"attempts": -1}})
        self._shards.update_many({"_id.job": job, "state": "waiting"}, paused)  # given back meanwhile

    def unpause(self, job: str) -> None:
        """Let a paused job be worked on again."""
        self._shards.update_many(
            {"_id.job": job, "state": "paused"}, {"$set": {"state": "waiting", "told": None}}
        )

    def set_rank(self, job: str, rank: int) -> None:
        """Move a job before or behind others."""
        self._shards.update_many({"_id.job": job, "state": {"$in": _OPEN}}, {"$set": {"rank": rank}})

    def recent_rate(self) -> float | None:
        """Cutouts/s of a worker, the median of the bulk shards that were closed last; None without any."""
        pipeline: list[Mapping[str, Any]] = [
            {"$match": {"priority": "bulk", "state": "done", "claimed": {"$exists": True}}},
            {"$sort": {"closed": -1}},
            {"$limit": RECENT},
            {"$project": {"size": True, "took_ms": {"$subtract": ["$closed", "$claimed"]}}},
        ]
        rates = [1000 * d["size"] / max(d["took_ms"], 1) for d in self._shards.aggregate(pipeline)]
        return median(rates) if rates else None

    def worker_rates(self, job: str, *, seconds: float = 60.0) -> dict[str, float]:
        """The same of one job."""
        return self.worker_rates_of([job], seconds=seconds)[job]

    def worker_rates_of(self, jobs: Sequence[str], *, seconds: float = 60.0) -> dict[str, dict[str, float]]:
        """By job, cutouts/s of each worker by its name, from the shards it closed within the last seconds.

        Who has closed none for three times as long as its longest took is not there any more.
        """
        ago = {"$dateSubtract": {"startDate": "$$NOW", "unit": "millisecond", "amount": int(seconds * 1000)}}
        pipeline: list[Mapping[str, Any]] = [
            {"$match": {**_of_jobs(jobs), "state": "done", "$expr": {"$gte": ["$closed", ago]}}},
            {
                "$group": {
                    "_id": {"job": "$_id.job", "worker": "$worker"},
                    "size": {"$sum": "$size"},
                    "first": {"$min": "$claimed"},
                    "last": {"$max": "$closed"},
                    "longest_ms": {"$max": {"$subtract": ["$closed", "$claimed"]}},
                }
            },
            {"$match": {"first": {"$ne": None}}},
            {
                "$project": {
                    "size": True,
                    "longest_ms": True,
                    "took_ms": {"$subtract": ["$last", "$first"]},
                    "silent_ms": {"$subtract": ["$$NOW", "$last"]},
                }
            },
        ]
        rates: dict[str, dict[str, float]] = {job: {} for job in jobs}
        for d in self._shards.aggregate(pipeline) if jobs else ():
            if d["silent_ms"] <= max(SILENCE_MS, 3 * d["longest_ms"]):
                rates[d["_id"]["job"]][d["_id"]["worker"]] = 1000 * d["size"] / max(d["took_ms"], 1)
        return rates

    def note_turn(self, lease: Lease) -> None:
        """A shard that was claimed ahead is worked on from now on; what it took is counted from here."""
        turn = {"claimed": "$$NOW", "lease_until": self._lease_end()}
        self._shards.update_one(self._held(lease), [{"$set": turn}])

    def workers_on(self, job: str) -> set[str]:
        """Who holds shards of a job, by name."""
        return set(self._shards.distinct("worker", {"_id.job": job, "state": "leased"}))

    def leased(self, job: str) -> int:
        """How many shards of a job are being worked on."""
        return self._shards.count_documents({"_id.job": job, "state": "leased"})

    def free_expired(self) -> int:
        """Return shards whose lease ran out to waiting, to be told of at once; returns how many."""
        if self._shards.find_one(_EXPIRED, {"_id": True}) is None:
            return 0  # for a write of nothing, too, waits for the journal
        freed = self._shards.update_many(
            _EXPIRED, {"$set": {"state": "waiting", "told": None}, "$unset": {"token": "", "lease_until": ""}}
        )
        return freed.modified_count

    def waiting(self, priority: Priority, *, limit: int) -> int:
        """How many shards of this priority nobody works on, counted up to `limit`."""
        return self.count("waiting", priority, limit=limit)

    def count(self, state: str, priority: Priority, *, limit: int) -> int:
        """How many shards of this priority are in a state, counted up to `limit`."""
        return self._shards.count_documents({"state": state, "priority": priority}, limit=limit)

    def oldest_waiting(self, priority: Priority) -> str | None:
        """The job that has waited longest of those with a shard that waits; ids sort by time."""
        jobs = self._shards.distinct("_id.job", {"state": "waiting", "priority": priority})
        return min(map(str, jobs), default=None)

    def longest_untold(self, priority: Priority, limit: int) -> list[tuple[str, int]]:
        """(job, n) of waiting shards, those never told of first, then the longest ago."""
        query = {"state": "waiting", "priority": priority}
        found = self._shards.find(query, {"_id": True}).sort("told", 1).limit(limit)
        return [(document["_id"]["job"], document["_id"]["n"]) for document in found]

    def mark_told(self, shards: Sequence[tuple[str, int]]) -> None:
        """Note that messages were sent for these shards now."""
        if shards:
            keys = [_key(job, n) for job, n in shards]
            self._shards.update_many({"_id": {"$in": keys}}, [{"$set": {"told": "$$NOW"}}])

    def progress(self, job: str) -> Progress:
        """Count a job's items by what became of them."""
        return self.progress_of([job])[job]

    def progress_of(self, jobs: Sequence[str]) -> dict[str, Progress]:
        """The same of several jobs."""
        counted = self._shards.aggregate(
            [
                {"$match": _of_jobs(jobs)},
                {
                    "$group": {
                        "_id": "$_id.job",
                        "items": {"$sum": "$size"},
                        "scored": {"$sum": "$scored"},
                        "rejected": {"$sum": "$rejected"},
                        "open": {"$sum": {"$cond": [{"$in": ["$state", _OPEN]}, 1, 0]}},
                    }
                },
            ]
        )
        found = {d["_id"]: Progress(d["items"], d["scored"], d["rejected"], d["open"]) for d in counted}
        return {job: found.get(job, Progress(0, 0, 0, 0)) for job in jobs}

    def any_open(self, job: str) -> bool:
        """Whether some shard of the job is waiting, leased or paused."""
        query = _of_job(job) | {"state": {"$in": _OPEN}}
        return self._shards.find_one(query, {"_id": True}) is not None

    def still_open(self, jobs: Collection[str]) -> set[str]:
        """Which of these jobs have such a shard."""
        query = {"_id.job": {"$in": list(jobs)}, "state": {"$in": _OPEN}}
        return set(self._shards.distinct("_id.job", query))

    def any_live(self) -> bool:
        """Whether a shard that people wait for is waiting or worked on.

        People wait for jobs that were accepted and have not ended: of others, whose API died, the sweeper
        takes the shards away, which may be an hour later.
        """
        pipeline: list[Mapping[str, Any]] = [
            {"$match": {"state": {"$in": ["waiting", "leased"]}, "priority": "live"}},
            {"$group": {"_id": "$_id.job"}},
            {"$lookup": {"from": "jobs", "localField": "_id", "foreignField": "_id", "as": "job"}},
            {"$match": {"job.state": {"$in": [state for state in JobState if not state.ended]}}},
            {"$limit": 1},
        ]
        return next(self._shards.aggregate(pipeline), None) is not None

    def items(self, job: str, n: int) -> list[Item] | None:
        """The items of one shard, in order; None when there is no such shard."""
        document = self._shards.find_one({"_id": _key(job, n)}, {"items": True})
        return None if document is None else [_item(item) for item in document["items"]]

    def with_rejections(self, job: str, *, limit: int) -> list[int]:
        """The numbers of the first closed shards of a job that hold a rejection; an index finds them."""
        query = {**_of_job(job), "rejected": {"$gt": 0}}
        found = self._shards.find(query, {"_id": True}).hint("progress").sort("_id.n", 1).limit(limit)
        return [document["_id"]["n"] for document in found]

    def open_jobs(self) -> list[str]:
        """Ids of the jobs that have a shard which is not done."""
        return [str(job) for job in self._shards.distinct("_id.job", {"state": {"$in": _OPEN}})]

    def orphans(self, *, older_than_s: float) -> list[str]:
        """Ids of jobs that have old shards but were never accepted."""
        before = datetime.now(UTC) - timedelta(seconds=older_than_s)
        pipeline: list[Mapping[str, Any]] = [
            {"$match": {"state": "waiting", "created": {"$lt": before}}},
            {"$group": {"_id": "$_id.job"}},
            {"$lookup": {"from": "jobs", "localField": "_id", "foreignField": "_id", "as": "job"}},
            {"$match": {"job": []}},
        ]
        return [document["_id"] for document in self._shards.aggregate(pipeline)]

    def _claim(self, query: Document, *, worker: str, oldest: bool = False) -> Lease | None:
        document = self._shards.find_one_and_update(
            query,
            self._leased(worker, secrets.token_hex(8)),
            sort=[("rank", -1), ("_id", 1)] if oldest else None,
            return_document=ReturnDocument.AFTER,
        )
        return None if document is None else _lease(document)

    def _leased(self, worker: str, token: str) -> list[Mapping[str, Any]]:
        """What a claim changes of a shard."""
        return [
            {
                "$set": {
                    "state": "leased",
                    "token": token,
                    "worker": {"$literal": worker},
                    "attempts": {"$add": ["$attempts", 1]},
                    "lease_until": self._lease_end(),
                    "claimed": "$$NOW",
                }
            }
        ]

    def _held(self, lease: Lease) -> Document:
        return {"_id": _key(lease.job, lease.n), "state": "leased", "token": lease.token}

    def _any_held(self, leases: Sequence[Lease]) -> Document:
        keys, tokens = [_key(lease.job, lease.n) for lease in leases], [lease.token for lease in leases]
        return {"_id": {"$in": keys}, "state": "leased", "token": {"$in": tokens}}

    def _lease_end(self) -> Document:
        return {"$dateAdd": {"startDate": "$$NOW", "unit": "millisecond", "amount": self._lease_ms}}


def _shard_document(
    job: str, n: int, items: Sequence[Item], *, priority: Priority, rank: int, paused: bool = False
) -> Document:
    return {
        "_id": _key(job, n),
        "state": "paused" if paused else "waiting",
        "priority": priority,
        "rank": rank,
        "size": len(items),
        "attempts": 0,
        "told": None,
        "created": datetime.now(UTC),
        "items": [_item_document(item) for item in items],
    }


def _closing(result: ShardResult) -> Document:
    """What closing changes of a shard."""
    change: Document = {
        "state": "done",
        "scored": result.scored,
        "rejected": result.rejected,
        "untold": True,
    }
    for index, (cutout, sha256) in result.cutouts.items():
        change |= {f"items.{index}.cutout": cutout, f"items.{index}.sha256": sha256}
    for index, rejection in result.rejections.items():
        change[f"items.{index}.rejection"] = vars(rejection)
    return {
        "$set": change,
        "$unset": {"token": "", "lease_until": ""},
        "$currentDate": {"closed": True},
    }


def _lease(document: Document) -> Lease:
    key = document["_id"]
    items = tuple(_item(item) for item in document["items"])
    suspects = {int(index): len(tokens) for index, tokens in document.get("suspicions", {}).items()}
    return Lease(key["job"], key["n"], document["token"], document["attempts"], items, suspects)


def _key(job: str, n: int) -> Document:
    return {"job": job, "n": n}


def _of_job(job: str) -> Document:
    return {"_id.job": job}


def _of_jobs(jobs: Sequence[str]) -> Document:
    return {"_id.job": {"$in": list(jobs)}}


def _item_document(item: Item) -> Document:
    document: Document = {"name": item.name, "cutout": item.cutout, "sha256": item.sha256}
    if item.reference is not None:
        document["reference"] = item.reference
    if item.rejection is not None:
        document["rejection"] = vars(item.rejection)
    return document


def _item(document: Document) -> Item:
    rejection = document.get("rejection")
    return Item(
        name=document["name"],
        cutout=document.get("cutout"),
        sha256=document.get("sha256"),
        reference=document.get("reference"),
        rejection=Rejection(**rejection) if rejection else None,
    )
