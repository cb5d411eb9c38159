"""The sweep mends the difference between the record and the queues."""

from pathlib import Path

import pytest

from core.errors import Unavailable
from core.job import Item, Job, JobState, Priority, ShardResult
from core.training import Checkpoint, TrainingRequest
from storage.record import Record
from storage.shards import ShardRepository
from storage.trainings import TrainingRepository
from tasks.sweep import RecordSweeper

TRAINING = TrainingRequest(
    classifier="rb",
    dataset="sample",
    architecture="vgg6",
    recipe="default",
    epochs=3,
    batch_size=8,
    seed=1,
)
SHARD = [Item("a.jpg", "a", "1" * 64)]


class Queue:
    """A queue that can lose its messages or be away, as Redis can."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, int]] = []
        self.trainings: list[str] = []
        self.away = False

    def tell(self, shards: list[tuple[str, int]], priority: Priority) -> None:
        if self.away:
            raise Unavailable("away")
        self.messages += shards

    def queue_length(self, priority: Priority) -> int:
        if self.away:
            raise Unavailable("away")
        return len(self.messages) if priority == "live" else 0

    def tell_trainings(self, jobs: list[str]) -> None:
        if self.away:
            raise Unavailable("away")
        self.trainings += jobs

    def trainings_queued(self) -> int:
        if self.away:
            raise Unavailable("away")
        return len(self.trainings)


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


def accept_training(record: Record, job: str) -> None:
    record.trainings.insert(job, TRAINING)
    record.jobs.accept(Job(job, (), "bulk", "me", items=0, shards=0, kind="train"))


def test_a_training_is_told_of_once_and_again_when_its_message_or_its_worker_was_lost(
    sweeper: RecordSweeper, queue: Queue, record: Record
) -> None:
    accept_training(record, "t1")
    queue.away = True
    sweeper.sweep()
    queue.away = False
    for _ in range(2):
        sweeper.sweep()
    assert queue.trainings == ["t1"]
    queue.trainings.clear()
    sweeper.sweep()
    assert queue.trainings == ["t1"]
    queue.trainings.clear()
    TrainingRepository(record.database, lease_s=-1.0).claim("t1", worker="dead")
    sweeper.sweep()
    assert queue.trainings == ["t1"]


def test_a_training_whose_trainer_died_before_its_job_was_finished_is_finished(
    sweeper: RecordSweeper, record: Record
) -> None:
    accept_training(record, "t1")
    lease = record.trainings.claim("t1", worker="one")
    assert lease is not None
    sweeper.sweep()
    found = record.jobs.get("t1")
    assert found is not None
    assert not found.state.ended
    assert record.trainings.close(lease)
    sweeper.sweep()
    found = record.jobs.get("t1")
    assert found is not None
    assert found.state is JobState.FINISHED


def test_a_training_whose_cancel_was_cut_short_is_cancelled_and_its_checkpoint_removed(
    sweeper: RecordSweeper, record: Record
) -> None:
    accept_training(record, "t1")
    lease = record.trainings.claim("t1", worker="one")
    assert lease is not None
    sha256 = record.blobs.put(b"a checkpoint")
    assert record.trainings.record_epoch(lease, {"epoch": 1}, Checkpoint(sha256, 1))
    assert record.jobs.cancel("t1")
    sweeper.sweep()
    assert not record.trainings.renew(lease)
    assert sha256 not in record.blobs


def test_a_checkpoint_that_was_replaced_is_removed_and_one_that_can_not_be_is_tried_again(
    sweeper: RecordSweeper, record: Record, tmp_path: Path
) -> None:
    accept_training(record, "t1")
    lease = record.trainings.claim("t1", worker="one")
    assert lease is not None
    old, new = (Checkpoint(record.blobs.put(data), n) for n, data in enumerate((b"old", b"new"), 1))
    assert record.trainings.record_epoch(lease, {"epoch": 1}, old)
    assert record.trainings.record_epoch(lease, {"epoch": 2}, new, instead_of=old)
    file = next((tmp_path / "blobs").glob(f"*/{old.sha256}"))
    file.unlink()
    file.mkdir()  # what can't be removed as a file
    sweeper.sweep()
    assert record.trainings.spent_checkpoints() == [("t1", old.sha256)]
    file.rmdir()
    record.blobs.put(b"old")
    sweeper.sweep()
    assert (old.sha256 in record.blobs, new.sha256 in record.blobs) == (False, True)
    assert record.trainings.spent_checkpoints() == []


def test_a_pause_or_a_resume_that_was_cut_short_is_mended(
    sweeper: RecordSweeper, queue: Queue, record: Record
) -> None:
    record.jobs.set_paused("j1", paused=True)
    sweeper.sweep()
    assert record.shards.claim("j1", 0, worker="one") is None
    record.jobs.set_paused("j1", paused=False)
    sweeper.sweep()
    assert record.shards.claim("j1", 0, worker="one") is not None
