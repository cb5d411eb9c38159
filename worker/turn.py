"""A shard whose turn it is, or is next: claimed, its lease renewed, perhaps being read already."""

from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

from pymongo.errors import PyMongoError

from core.job import Job, Lease
from core.telemetry import logged_about
from storage.shards import ShardRepository
from worker.batches import Batches
from worker.heartbeat import Heartbeat
from worker.to_score import ToScore


@dataclass(frozen=True)
class Prepared:
    """What there is to score of a shard, and its cutouts, which are being read."""

    asked: ToScore
    batches: Batches


@dataclass
class Turn:
    """A shard that was claimed; its lease is renewed until the block ends, or it is given back.

    Attributes
    ----------
    begun : whether the engine has its first batch already.

    Parameters
    ----------
    heartbeat : has started.
    prepared : where that was done ahead.
    """

    job: Job
    lease: Lease
    heartbeat: Heartbeat
    shards: ShardRepository
    prepared: Prepared | None = None
    begun: bool = False

    def __enter__(self) -> "Turn":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.heartbeat.stop()

    def begin_early(self) -> None:
        """Have the engine begin the first batch, if its pixels are there."""
        if self.prepared is None or self.heartbeat.lost:
            return
        with logged_about(job=self.lease.job, shard=self.lease.n):
            self.begun = self.prepared.batches.begin_early()

    def give_back(self, *, counts: bool) -> None:
        """Let anyone claim the shard at once; where the record is away just now, when the lease runs out.

        `counts` where this was a try.
        """
        self.heartbeat.stop()
        if self.prepared is not None:
            self.prepared.batches.close()
        with suppress(PyMongoError):
            self.shards.release(self.lease, counts=counts)
