"""Leases of trainings: one holder at a time, by the database's clock, and what an epoch leaves behind."""

import pytest

from core.job import Job
from core.training import Checkpoint, TrainingLease, TrainingRequest
from storage.record import Record
from storage.trainings import TrainingRepository

REQUEST = TrainingRequest(
    classifier="rb",
    dataset="sample",
    architecture="vgg6",
    recipe="default",
    epochs=3,
    batch_size=8,
    seed=1,
)
FIGURES = {"epoch": 1, "loss": 0.5}


@pytest.fixture
def trainings(record: Record) -> TrainingRepository:
    record.trainings.insert("t1", REQUEST)
    return record.trainings


@pytest.fixture
def hasty(record: Record, trainings: TrainingRepository) -> TrainingRepository:
    """The same trainings under leases that have run out as soon as they are given."""
    return TrainingRepository(record.database, lease_s=-1.0)


def claimed(trainings: TrainingRepository) -> TrainingLease:
    lease = trainings.claim("t1", worker="one")
    assert lease is not None
    return lease


def claimed_again(trainings: TrainingRepository, lease: TrainingLease) -> TrainingLease:
    trainings.release(lease, counts=False)
    return claimed(trainings)


def test_a_training_has_one_holder(trainings: TrainingRepository) -> None:
    lease = claimed(trainings)
    assert (lease.request, lease.tries, lease.checkpoint) == (REQUEST, 1, None)
    assert trainings.claim("t1", worker="two") is None
    assert trainings.renew(lease)


def test_who_lost_the_lease_changes_nothing(trainings: TrainingRepository, hasty: TrainingRepository) -> None:
    stale = claimed(hasty)
    lease = claimed(trainings)
    assert lease.tries == 2
    checkpoint = Checkpoint("1" * 64, 1)
    assert not trainings.renew(stale)
    assert not trainings.record_epoch(stale, FIGURES, checkpoint)
    assert not trainings.note(stale, doing="training")
    assert not trainings.set_aside(stale, "rb@2")
    assert not trainings.close(stale)
    found = trainings.get("t1")
    assert found is not None
    assert (found.epochs, found.doing, found.version) == ((), "waiting", None)


def test_an_epoch_leaves_its_figures_and_its_checkpoint_and_clears_the_tries(
    trainings: TrainingRepository, hasty: TrainingRepository
) -> None:
    for _ in range(2):
        claimed(hasty)
    lease = claimed(trainings)
    assert lease.tries == 3
    assert trainings.record_epoch(lease, FIGURES, Checkpoint("1" * 64, 1))
    trainings.release(lease, counts=False)
    again = claimed(trainings)
    assert (again.tries, again.checkpoint) == (1, Checkpoint("1" * 64, 1))
    found = trainings.get("t1")
    assert found is not None
    assert found.epochs == (FIGURES,)
    assert found.attempts == 4


def test_a_failed_try_counts_and_its_words_are_kept(trainings: TrainingRepository) -> None:
    lease = claimed(trainings)
    trainings.note(lease, last_error="OSError: full")
    trainings.release(lease, counts=True)
    again = claimed(trainings)
    assert (again.tries, again.last_error) == (2, "OSError: full")


def test_a_lease_that_ran_out_is_freed_to_be_told_of_at_once(
    trainings: TrainingRepository, hasty: TrainingRepository
) -> None:
    trainings.mark_told(["t1"])
    claimed(hasty)
    assert trainings.free_expired() == 1
    assert trainings.waiting(limit=10) == 1
    trainings.insert("t2", REQUEST)
    trainings.mark_told(["t2"])
    assert trainings.longest_untold(10) == ["t1", "t2"]


def test_a_version_that_was_set_aside_is_told_only_when_it_is_there(trainings: TrainingRepository) -> None:
    lease = claimed(trainings)
    assert trainings.set_aside(lease, "rb@7")
    found = trainings.get("t1")
    assert found is not None
    assert found.version is None
    trainings.release(lease, counts=True)
    again = claimed(trainings)
    assert again.version == "rb@7"
    assert trainings.close(again)
    found = trainings.get("t1")
    assert found is not None
    assert found.version == "rb@7"
    assert trainings.is_done("t1")
    assert trainings.claim("t1", worker="two") is None


def test_a_cancelled_training_is_nobodys_and_its_checkpoint_is_spent(trainings: TrainingRepository) -> None:
    lease = claimed(trainings)
    trainings.record_epoch(lease, FIGURES, Checkpoint("1" * 64, 1))
    assert trainings.spent_checkpoints() == []
    assert trainings.cancel("t1")
    assert not trainings.cancel("t1")
    assert not trainings.renew(lease)
    assert trainings.claim("t1", worker="two") is None
    assert trainings.spent_checkpoints() == [("t1", "1" * 64)]
    trainings.forget_checkpoint("t1", "1" * 64)
    assert trainings.spent_checkpoints() == []


def test_a_checkpoint_that_another_has_replaced_is_spent_unless_a_training_goes_on_from_it(
    trainings: TrainingRepository,
) -> None:
    one, two, three = (Checkpoint(str(n) * 64, n) for n in (1, 2, 3))
    lease = claimed(trainings)
    assert trainings.record_epoch(lease, FIGURES, one)
    assert trainings.record_epoch(lease, FIGURES, two, instead_of=one)
    assert trainings.record_epoch(lease, FIGURES, two, instead_of=two)
    assert trainings.spent_checkpoints() == [("t1", one.sha256)]
    trainings.insert("t2", REQUEST)  # the same training once more: its epochs leave the same bytes
    twin = trainings.claim("t2", worker="two")
    assert twin is not None
    assert trainings.record_epoch(twin, FIGURES, one)
    assert trainings.spent_checkpoints() == []
    assert trainings.record_epoch(twin, FIGURES, three, instead_of=one)
    assert trainings.spent_checkpoints() == [("t1", one.sha256), ("t2", one.sha256)]
    for job in ("t1", "t2"):
        trainings.forget_checkpoint(job, one.sha256)
    assert trainings.spent_checkpoints() == []
    assert claimed_again(trainings, lease).checkpoint == two


def test_only_old_trainings_without_a_job_are_orphans(record: Record, trainings: TrainingRepository) -> None:
    trainings.insert("t2", REQUEST)
    record.jobs.accept(Job("t2", (), "bulk", "me", items=0, shards=0, kind="train"))
    assert trainings.orphans(older_than_s=60) == []
    assert trainings.orphans(older_than_s=-60) == ["t1"]
    assert record.jobs.open_ids() == []
    assert record.jobs.open_ids("train") == ["t2"]
