"""Live shards that wait at the same time are scored in one batch; each keeps its lease and what it counts.

Nobody waits for more to come: what has come while the engine was busy is taken together.
"""

import logging
import time
from collections.abc import Collection, Sequence
from functools import partial
from itertools import accumulate
from typing import Protocol

from pymongo.errors import PyMongoError

from core.errors import ServiceError
from core.job import Job, Lease, ShardResult
from storage.record import Record
from storage.shards import WaitingShard
from worker.heartbeat import Heartbeat

_log = logging.getLogger(__name__)
TOGETHER_S = 0.25
"""What is scored together takes no longer than that, so that the first of it does not wait for the last."""
NOT_OF_AN_ITEM = (PyMongoError, ServiceError)
"""Failures that are the surroundings' and not the item's that was worked on."""


class ShardWork(Protocol):
    """What scoring several shards needs of who scores one.

    Attributes
    ----------
    worker : who claims.
    scored : cutouts so far.
    """

    worker: str
    scored: int

    def load(self, versions: Sequence[str], *, cascade: bool = False) -> None:
        """Hold and warm these versions."""

    def work(self, lease: Lease) -> bool:
        """Work on a shard; False when there was nothing to do."""

    def give_back(self, lease: Lease) -> None:
        """Return a shard whose job is not to be worked on now."""

    def score_items(
        self, job: Job, leases: Sequence[Lease], heartbeat: Heartbeat
    ) -> list[ShardResult] | None:
        """Give every item an outcome or a rejection; None when the leases were lost on the way."""


class LiveShards:
    """Claims live shards and works on them, as many at a time as the engine takes in a quarter of a second.

    A shard that was claimed before is worked on alone, because who worked on it may have died of it, and so
    is one that refers to files elsewhere, which may be slow to come.

    Parameters
    ----------
    batch : the most cutouts that are scored together.
    """

    def __init__(self, record: Record, work: ShardWork, *, batch: int, heartbeat_s: float) -> None:
        self._record, self._work = record, work
        self._batch, self._heartbeat_s = batch, heartbeat_s
        self._each_s = 0.0

    def claim(self, *, passing_over: Collection[str] = ()) -> list[Lease]:
        """Lease the shard whose turn it is, and those that are scored with it."""
        first = self._record.shards.claim_waiting("live", worker=self._work.worker, passing_over=passing_over)
        return [] if first is None else self.with_others(first)

    def with_others(self, first: Lease) -> list[Lease]:
        """A shard that was claimed, and those that wait and are alike, as far as they fit into a batch."""
        size, most = len(first.items), self._most()
        if size >= most or first.attempts > 1 or any(item.reference is not None for item in first.items):
            return [first]
        waiting = [one for one in self._record.shards.waiting_live(limit=most) if _is_simple(one)]
        if not waiting:
            return [first]
        jobs = self._record.jobs.get_all([first.job, *(shard.job for shard in waiting)])
        alike = [
            shard
            for shard in waiting
            if first.job in jobs and shard.job in jobs and _kind(jobs[shard.job]) == _kind(jobs[first.job])
        ]
        sizes = accumulate((shard.size for shard in alike), initial=size)
        fitting = [shard for shard, before in zip(alike, sizes, strict=False) if before + shard.size <= most]
        return [first, *self._record.shards.claim_together(fitting, worker=self._work.worker)]

    def work(self, leases: Sequence[Lease]) -> set[str]:
        """Work on what was claimed; returns the jobs of which there was nothing to do.

        Where one of several fails, each is worked on alone; what the last of them raises is raised when all
        had their turn.
        """
        began = time.monotonic()
        if len(leases) == 1:
            refused = set() if self._work.work(leases[0]) else {leases[0].job}
        else:
            refused = self._worked(leases)
        self._note(time.monotonic() - began, sum(len(lease.items) for lease in leases))
        return refused

    def _most(self) -> int:
        """Cutouts of one batch, by how long they took lately."""
        if not self._each_s:
            return self._batch
        return int(min(self._batch, max(1.0, TOGETHER_S / self._each_s)))

    def _note(self, took_s: float, cutouts: int) -> None:
        each_s = took_s / max(1, cutouts)
        self._each_s = (self._each_s + each_s) / 2 if self._each_s else each_s

    def _worked(self, leases: Sequence[Lease]) -> set[str]:
        jobs = self._record.jobs.start_together({lease.job for lease in leases})
        held = [lease for lease in leases if lease.job in jobs]
        for lease in leases:
            if lease not in held:
                self._work.give_back(lease)
        if held:
            try:
                self._score(jobs[held[0].job], held)
            except NOT_OF_AN_ITEM:
                raise
            except Exception as error:  # noqa: BLE001  whose fault it is shows when each is alone
                _log.warning("shards that failed together are scored alone: %r", error)
                self._one_by_one(held)
        return {lease.job for lease in leases if lease not in held}

    def _score(self, job: Job, leases: Sequence[Lease]) -> None:
        """Score shards of jobs that want the same as this one, and close those whose lease was not lost."""
        renew = partial(self._record.shards.renew, *leases)
        with Heartbeat(renew, every_s=self._heartbeat_s, name=f"{job.id} and others") as heartbeat:
            self._work.load(job.versions, cascade=job.cascade is not None)
            results = self._work.score_items(job, leases, heartbeat)
        if results is None:
            _log.warning("leases lost; what was scored stays", extra={"shards": len(leases)})
            return
        closed = self._record.shards.close_together(list(zip(leases, results, strict=True)))
        if closed < len(leases):
            _log.warning("leases lost; what was scored stays", extra={"shards": len(leases) - closed})
        scored, rejected = sum(one.scored for one in results), sum(one.rejected for one in results)
        self._work.scored += scored
        found = {"versions": job.versions, "scored": scored, "rejected": rejected}
        _log.info("shards done", extra=found | {"shards": closed})
        ids = {lease.job for lease in leases}
        self._record.jobs.finish_together(ids - self._record.shards.still_open(ids))

    def _one_by_one(self, leases: Sequence[Lease]) -> None:
        failed: Exception | None = None
        for lease in leases:
            try:
                self._work.work(lease)
            except Exception as error:  # noqa: BLE001  its lease runs out; the others are not to suffer for it
                _log.exception("live shard failed", extra={"job": lease.job, "shard": lease.n})
                failed = error
        if failed is not None:
            raise failed


def _is_simple(shard: WaitingShard) -> bool:
    return not shard.attempts and not shard.refers


def _kind(job: Job) -> tuple[object, ...]:
    """What jobs have in common that are scored together."""
    return job.versions, job.instrument, job.cascade, job.kind
