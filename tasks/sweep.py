"""The sweep: what is owed is told of again, what is done is noted."""

import logging
import time

from core.errors import Unavailable
from core.job import Priority
from storage.blob_hold import blobs_are_held
from storage.decisions import decide_again
from storage.record import Record
from storage.refresh import refresh_production
from storage.retention import RetentionKeeper
from tasks import context
from tasks.app import app
from tasks.metrics import ServiceMetrics
from tasks.owed import WINDOW, Bell, tell_owed

_log = logging.getLogger(__name__)
ORPHAN_S = 3600.0
DECIDE_S = 1.0  # of each round, while cutouts wait for today's thresholds
REFRESH_S = 1.0  # of each round, while cutouts may have scores of what was promoted
RETAIN_S = 0.5  # of each round, while something is older than the settings let it be
ORPHANS_EVERY_S = 300.0  # it looks at every old shard that waits
PRIORITIES: tuple[Priority, ...] = ("live", "bulk")


class RecordSweeper:
    """Compares the record with the queues and mends the difference."""

    def __init__(
        self,
        record: Record,
        messenger: Bell,
        metrics: ServiceMetrics | None = None,
        keeper: RetentionKeeper | None = None,
    ) -> None:
        self._record, self._messenger, self._metrics = record, messenger, metrics
        self._keeper = keeper
        self._next_orphans = 0.0

    def sweep(self) -> None:
        """One round; every step is harmless when repeated."""
        freed = self._record.shards.free_expired()
        if freed:
            _log.warning("leases ran out", extra={"shards": freed})
            if self._metrics is not None:
                self._metrics.expired(freed)
        if self._record.trainings.free_expired():
            _log.warning("the lease of a training ran out")
        for priority in PRIORITIES:
            tell_owed(self._record, self._messenger, priority)
        self._tell_owed_trainings()
        self._finish_done()
        decide_again(self._record, for_s=DECIDE_S)
        refresh_production(self._record, for_s=REFRESH_S)
        if time.monotonic() >= self._next_orphans:
            self._next_orphans = time.monotonic() + ORPHANS_EVERY_S
            self._remove_orphans()
            for job in self._record.jobs.ended(self._record.shards.open_jobs()):
                self._record.shards.cancel(job)  # the API died between the two steps of a cancel
            self._tidy_trainings()
        self._remove_spent_checkpoints()
        if self._keeper is not None:
            self._keeper.step(for_s=RETAIN_S)
        if self._metrics is not None:
            self._metrics.update()

    def _tell_owed_trainings(self) -> None:
        waiting = self._record.trainings.waiting(limit=WINDOW)
        if not waiting:
            return
        try:
            missing = waiting - self._messenger.trainings_queued()
            if missing > 0:
                jobs = self._record.trainings.longest_untold(missing)
                self._messenger.tell_trainings(jobs)
                self._record.trainings.mark_told(jobs)
        except Unavailable as error:
            _log.warning("will be told later: %s", error)

    def _tidy_trainings(self) -> None:
        trainings = self._record.trainings
        for job in trainings.orphans(older_than_s=ORPHAN_S):
            trainings.remove(job)
            _log.warning("removed the training of a job that was never accepted", extra={"job": job})
        for job in self._record.jobs.ended(trainings.open_jobs()):
            trainings.cancel(job)

    def _remove_spent_checkpoints(self) -> None:
        for job, sha256 in self._record.trainings.spent_checkpoints():
            if blobs_are_held(self._record.database):
                return
            try:
                self._record.blobs.delete(sha256)
            except Unavailable as error:
                _log.warning("checkpoints are removed later: %s", error)
                return
            self._record.trainings.forget_checkpoint(job, sha256)

    def _remove_orphans(self) -> None:
        for job in self._record.shards.orphans(older_than_s=ORPHAN_S):
            self._record.shards.remove(job)
            _log.warning("removed shards of a job that was never accepted", extra={"job": job})

    def _finish_done(self) -> None:
        for job in self._record.jobs.open_ids():
            if not self._record.shards.any_open(job):
                self._record.jobs.finish(job)
            elif (found := self._record.jobs.get(job)) is not None:  # who paused it may have died half-way
                (self._record.shards.pause if found.paused else self._record.shards.unpause)(job)
        for job in self._record.jobs.open_ids("train"):
            if self._record.trainings.is_done(job):  # who trained died between the two
                self._record.jobs.finish(job)


@app.task(name="sweep", send_events=False)  # type: ignore[untyped-decorator]
def sweep() -> None:
    """One round of the sweeper of this process."""
    context.sweeper().sweep()
