"""The sweep mends the difference between the record and the queues."""

import pytest

from core.errors import Unavailable
from core.job import Item, Job, JobState, Priority, ShardResult
from storage.record import Record
from storage.shards import ShardRepository
from tasks.sweep import RecordSweeper

SHARD = [Item("a.jpg", "a", "1" * 64)]


class Queue:
    """A queue that can lose its messages or be away, as Redis can."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, int]] = []
        self.away = False

    def tell(self, shards: list[tuple[str, int]], priority: Priority) -> None:
        if self.away:
            raise Unavailable("away")
        self.messages += shards

    def queue_length(self, priority: Priority) -> int:
        if self.away:
            raise Unavailable("away")
        return len(self.messages) if priority == "live" else 0


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def sweeper(record: Record, queue: Queue) -> RecordSweeper:
    record.shards.insert("j1", [SHARD, SHARD, SHARD], priority="live")
    record.jobs.accept(Job("j1", ("rb@1",), "live", "me", items=3, shards=3))
    return RecordSweeper(record, queue)


def test_shards_that_nobody_was_told_of_are_told_once(sweeper: RecordSweeper, queue: Queue) -> None:
    sweeper.sweep()
    sweeper.sweep()
    assert queue.messages == [("j1", 0), ("j1", 1), ("j1", 2)]


def test_messages_that_redis_lost_are_sent_again(sweeper: RecordSweeper, queue: Queue) -> None:
    sweeper.sweep()
    queue.messages.clear()
    sweeper.sweep()
    assert sorted(queue.messages) == [("j1", 0), ("j1", 1), ("j1", 2)]


def test_a_dead_workers_shard_is_told_of_again(sweeper: RecordSweeper, queue: Queue, record: Record) -> None:
    sweeper.sweep()
    queue.messages.clear()
    for n in (0, 1):
        lease = record.shards.claim("j1", n, worker="one")
        assert lease is not None
        record.shards.close(lease, ShardResult(1, 0))
    ShardRepository(record.database, lease_s=-1.0).claim("j1", 2, worker="dead")
    sweeper.sweep()
    assert queue.messages == [("j1", 2)]


def test_a_queue_that_is_away_is_no_failure_and_is_made_good(sweeper: RecordSweeper, queue: Queue) -> None:
    queue.away = True
    sweeper.sweep()
    queue.away = False
    sweeper.sweep()
    assert len(queue.messages) == 3


def test_a_job_whose_worker_died_after_its_last_shard_is_finished(
    sweeper: RecordSweeper, record: Record
) -> None:
    for n in range(3):
        lease = record.shards.claim("j1", n, worker="one")
        assert lease is not None
        record.shards.close(lease, ShardResult(1, 0))
    sweeper.sweep()
    job = record.jobs.get("j1")
    assert job is not None
    assert job.state == JobState.FINISHED


def test_shards_of_a_job_whose_cancel_was_cut_short_are_cancelled(
    sweeper: RecordSweeper, record: Record
) -> None:
    assert record.jobs.cancel("j1")
    sweeper.sweep()
    assert not record.shards.any_open("j1")
