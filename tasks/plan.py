"""Planning: the cutouts that a rescoring job means become shards, while the first of them are worked on."""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from pymongo.errors import PyMongoError

from core.errors import CallerError, Unavailable
from core.job import Item, Job
from core.settings import Scoring
from cutouts.instruments import ZTF
from storage.record import Record
from storage.selection import selected

_log = logging.getLogger(__name__)
LEASE_S = 30.0
IDLE_S = 1.0
AT_ONCE = 8  # shards of one write
TELL_S = 0.25  # between two times that workers are told of new shards
FEW = 4  # whole batches of a GPU that a shard has; at lower rates no GPU works
SHARD_S = 4.0  # what a shard is to take
SMALLEST, LARGEST = 32, 2000


class PlanLost(Exception):
    """The job has ended, or somebody else plans it."""


class Planner:
    """Plans one job after the other; killed anywhere, it goes on after the last shard on record.

    `tell` is called when shards were recorded, so that nobody waits for the sweeper.
    """

    def __init__(
        self, record: Record, settings: Scoring, *, name: str, tell: Callable[[], None] = lambda: None
    ) -> None:
        self._record, self._settings, self._name, self._tell = record, settings, name, tell

    def run(self, stop: threading.Event) -> None:
        """Plan until told to stop."""
        while not stop.is_set():
            try:
                if self.plan_one():
                    continue
            except (PyMongoError, Unavailable) as error:
                _log.warning("not planned, trying again: %s", type(error).__name__)
            except Exception:  # noqa: BLE001  the process lives on, and so must its planner
                _log.exception("not planned, trying again")
            stop.wait(IDLE_S)

    def plan_one(self) -> bool:
        """Plan a job to its end; False when none is to be planned."""
        job = self._record.jobs.claim_plan(planner=self._name, lease_s=LEASE_S)
        if job is None:
            return False
        try:
            while not self._append_rest(job):
                pass
            self._end(job)
        except PlanLost:
            self._tidy(job.id)
        except CallerError as error:
            self._record.jobs.fail(job.id, str(error))
            self._record.shards.cancel(job.id)
        return True

    def _append_rest(self, job: Job) -> bool:
        """Record what follows the last shard; False when somebody else recorded shards meanwhile."""
        last = self._record.shards.last(job.id)
        n, after = (0, None) if last is None else (last[0] + 1, last[1].cutout)
        instrument = (job.instrument or ZTF).name
        rest = selected(
            self._record,
            str(job.selection),
            instrument=instrument,
            after=after,
            each_chunk=lambda: self._renewed(job.id),
        )
        size, told = self.shard_size(), -math.inf
        while shards := _next_shards(rest, size, n):
            now = self._renewed(job.id)
            if not self._record.shards.append(
                job.id, shards, priority=job.priority, rank=now.rank, paused=now.paused
            ):
                return False
            self._catch_up(now)
            n += len(shards)
            if time.monotonic() - told >= TELL_S:
                self._tell()
                told = time.monotonic()
        self._tell()
        return True

    def _catch_up(self, before: Job) -> None:
        """Do to the newest shards what was done to the job while they were written."""
        now = self._renewed(before.id)
        if now.paused and not before.paused:
            self._record.shards.pause(now.id)
        elif before.paused and not now.paused:
            self._record.shards.unpause(now.id)
        if now.rank != before.rank:
            self._record.shards.set_rank(now.id, now.rank)

    def _end(self, job: Job) -> None:
        progress = self._record.shards.progress(job.id)
        last = self._record.shards.last(job.id)
        shards = 0 if last is None else last[0] + 1
        if not self._record.jobs.end_plan(job.id, planner=self._name, items=progress.items, shards=shards):
            raise PlanLost
        _log.info("planned", extra={"job": job.id, "items": progress.items, "shards": shards})
        if not self._record.shards.any_open(job.id):
            self._record.jobs.finish(job.id)

    def _renewed(self, job: str) -> Job:
        now = self._record.jobs.renew_plan(job, planner=self._name, lease_s=LEASE_S)
        if now is None:
            raise PlanLost
        return now

    def _tidy(self, job: str) -> None:
        """Cancel what was written after the job had ended."""
        found = self._record.jobs.get(job)
        if found is not None and found.state.ended:
            self._record.shards.cancel(job)

    def shard_size(self) -> int:
        """As many whole batches as a worker scores in a few seconds, by the shards that were closed last.

        What is under a batch is padded to one, and takes as long.
        """
        rate = self._record.shards.recent_rate()
        if rate is None:
            return self._settings.shard_size
        wanted = min(LARGEST, max(SMALLEST, rate * SHARD_S))
        filled = [size for size in self._settings.on_gpu().batch_sizes if FEW * size <= wanted]
        batch = min(LARGEST, max(*self._settings.batch_sizes, *filled))
        return min(LARGEST // batch, max(1, round(wanted / batch))) * batch


def _next_shards(items: Iterator[Item], size: int, n: int) -> dict[int, Sequence[Item]]:
    shards: dict[int, Sequence[Item]] = {}
    while len(shards) < AT_ONCE and (part := list(islice(items, size))):
        shards[n + len(shards)] = part
    return shards
