"""One training after the other in this process, on a real record."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from core.dataset import DataSetCard, LabelledCutout, Split
from core.errors import Unavailable
from core.job import Item, Job, JobState
from core.settings import Settings, Training
from core.training import TrainingRequest
from cutouts.simulator import simulate
from models.training import sources
from storage.blobs import BlobStore
from storage.record import Record
from storage.trainings import TrainingRepository
from tests.images import png
from tests.record import register
from tests.storage.test_datasets import card as card_of_dataset
from worker.trainer import JobTrainer
from worker.training_device import TrainingDevice

REQUEST = TrainingRequest(
    classifier="rb",
    dataset="sample",
    architecture="vgg6",
    recipe="default",
    epochs=1,
    batch_size=8,
    seed=5,
    count=24,
)


def accept(record: Record, request: TrainingRequest, *, job: str = "t1") -> str:
    record.trainings.insert(job, request)
    record.jobs.accept(Job(job, (), "bulk", "me", items=0, shards=0, kind="train"))
    return job


def submit_live(record: Record, job: str) -> None:
    record.shards.insert(job, [[Item("a", "a", "0" * 64)]], priority="live")
    record.jobs.accept(Job(job, ("rb@1",), "live", "me", items=1, shards=1))


def trainer(
    record: Record, settings: Settings, *, shared: bool = False, stopping: Callable[[], bool] = lambda: False
) -> JobTrainer:
    few = Training(validation_cutouts=16, test_cutouts=24, benchmark_cutouts=24)
    return JobTrainer(
        record,
        settings.model_copy(update={"training": few}),
        device=TrainingDevice("-1", shared=shared, precision="float32"),
        worker="here:1",
        scratch=settings.state_dir / "training",
        stopping=stopping,
    )


def failure_of(record: Record, job: str) -> str:
    found = record.jobs.get(job)
    assert found is not None
    assert found.state is JobState.FAILED
    assert record.models.all() == []
    return str(found.failure)


def test_a_loss_that_is_no_number_fails_the_job_with_a_reason(record: Record, settings: Settings) -> None:
    job = accept(record, replace(REQUEST, learning_rate=float("nan")))
    trainer(record, settings).train(job)
    assert "expected finite losses" in failure_of(record, job)
    assert not list((settings.state_dir / "training").iterdir())


def test_a_batch_that_does_not_fit_is_not_tried_again(
    record: Record, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("models.training.fit._epoch", exhausted)
    job = accept(record, REQUEST)
    trainer(record, settings).train(job)
    assert "batch size of 4 or less" in failure_of(record, job)


def test_what_breaks_off_three_times_without_an_epoch_fails_with_its_last_words(
    record: Record, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(sources, "training_images", broken)
    job = accept(record, REQUEST)
    for _ in range(3):
        trainer(record, settings).train(job)
        found = record.jobs.get(job)
        assert found is not None
        assert found.state is JobState.RUNNING
    trainer(record, settings).train(job)
    assert failure_of(record, job) == (
        "3 tries ended without an epoch; the last said: OSError: the disk is full"
    )


def test_a_process_that_is_killed_three_times_fails_the_job(record: Record, settings: Settings) -> None:
    job = accept(record, REQUEST)
    expired = TrainingRepository(record.database, lease_s=-1.0)
    for _ in range(3):
        assert expired.claim(job, worker="killed") is not None
    trainer(record, settings).train(job)
    assert "the process was killed each time" in failure_of(record, job)


def test_who_lost_the_lease_fails_nobodys_job(
    record: Record, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(*_: object, **__: object) -> None:
        record.database["trainings"].update_one({"_id": "t1"}, {"$set": {"token": "another's"}})
        raise MemoryError

    monkeypatch.setattr("models.training.fit._epoch", overtaken)
    job = accept(record, REQUEST)
    trainer(record, settings).train(job)
    found = record.jobs.get(job)
    assert found is not None
    assert found.state is JobState.RUNNING


def test_tensorflow_is_loaded_before_a_training_is_claimed_and_for_no_other_message(
    record: Record, settings: Settings
) -> None:
    told = {
        "DA_MONGO_URL": settings.required_mongo_url(),
        "DA_MONGO_DATABASE": settings.mongo_database,
        "DA_REDIS_URL": settings.required_redis_url(),
        "DA_STATE_DIR": str(settings.state_dir),
    }
    program = [sys.executable, "-m", "tests.worker.told_of_a_training", accept(record, REQUEST), "nobody's"]
    done = subprocess.run(program, env=os.environ | told, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["nobody's: False", "t1: claimed, tensorflow loaded: True"]


def test_a_host_that_can_not_load_what_trains_says_so_and_fails_the_job_after_its_tries(
    record: Record, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "models.training.candidate", None)
    job = accept(record, REQUEST)
    for _ in range(4):
        trainer(record, settings).train(job)
    told = failure_of(record, job)
    assert "3 tries ended without an epoch" in told
    assert "models.training.candidate" in told


def test_messages_that_are_doubled_late_or_wrong_change_nothing(record: Record, settings: Settings) -> None:
    job = accept(record, REQUEST)
    lease = record.trainings.claim(job, worker="other")
    assert lease is not None
    trainer(record, settings).train(job)
    trainer(record, settings).train("nobody's")
    assert record.trainings.renew(lease)
    record.trainings.insert("early", REQUEST)  # its job is not accepted yet
    trainer(record, settings).train("early")
    assert record.trainings.claim("early", worker="other") is not None


def test_a_training_waits_between_two_batches_while_live_cutouts_do(
    record: Record, settings: Settings
) -> None:
    submit_live(record, "j1")
    job = accept(record, REQUEST)
    thread = threading.Thread(target=trainer(record, settings, shared=True).train, args=[job])
    thread.start()
    until(lambda: doing(record, job) == "paused for live cutouts")
    before = record.trainings.get(job)
    assert before is not None
    assert before.epochs == ()
    record.shards.remove("j1")
    thread.join(120)
    after = record.trainings.get(job)
    assert after is not None
    assert after.version == "rb@1"


def test_a_training_on_a_device_of_its_own_does_not_wait(record: Record, settings: Settings) -> None:
    submit_live(record, "j1")
    job = accept(record, REQUEST)
    trainer(record, settings).train(job)
    after = record.trainings.get(job)
    assert after is not None
    assert after.version == "rb@1"


def test_a_number_that_somebody_else_took_meanwhile_is_left_to_them(
    record: Record, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(record, "rb@1")
    monkeypatch.setattr(record.models, "next_version", _first_of(["rb@1", "rb@2"]))
    job = accept(record, REQUEST)
    trainer(record, settings).train(job)
    assert [card.version for card, _ in record.models.all()] == ["rb@1", "rb@2"]


def test_a_training_on_a_host_that_may_remove_no_blob_leaves_its_checkpoints_to_the_sweeper(
    record: Record, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise Unavailable("the blob store can't be written")

    job = accept(record, replace(REQUEST, epochs=2))
    with monkeypatch.context() as chance:
        chance.setattr(BlobStore, "delete", refused)
        trainer(record, settings).train(job)
    assert record.trainings.is_done(job)
    spent = [sha256 for _, sha256 in record.trainings.spent_checkpoints()]
    assert len(spent) == 2
    assert all(sha256 in record.blobs for sha256 in spent)


def test_a_checkpoint_that_is_gone_fails_the_job(record: Record, settings: Settings) -> None:
    job = accept(record, replace(REQUEST, epochs=3))

    def stopping() -> bool:
        found = record.trainings.get(job)
        assert found is not None
        return bool(found.epochs)

    trainer(record, settings, stopping=stopping).train(job)
    lease = record.trainings.claim(job, worker="look")
    assert lease is not None
    assert lease.checkpoint is not None
    record.blobs.delete(lease.checkpoint.sha256)
    record.trainings.release(lease, counts=False)
    trainer(record, settings).train(job)
    assert f"blob {lease.checkpoint.sha256} is not in the store" in failure_of(record, job)


def freeze(record: Record, name: str, seed: int, *, benchmark: bool = False) -> DataSetCard:
    """A data set of simulated cutouts: of every ten, six to learn from, two to stop by, two to measure on."""
    parts: tuple[Split, ...] = ("train",) * 6 + ("validation",) * 2 + ("test",) * 2
    items = []
    for n, cutout in enumerate(simulate("sample", count=60, seed=seed)):
        sha256 = record.blobs.put(png(cutout.image))
        split = "test" if benchmark else parts[n % 10]
        items.append(LabelledCutout(sha256, sha256, cutout.truth.rb, split))
    card = card_of_dataset(name, items, benchmark=benchmark)
    return record.datasets.freeze(card, items)[0]


def test_a_training_on_a_data_set_reads_each_split_for_what_it_is(record: Record, settings: Settings) -> None:
    frozen = freeze(record, "mine", 1)
    freeze(record, "judge", 2, benchmark=True)
    job = accept(record, replace(REQUEST, dataset="mine", count=None))
    trainer(record, settings).train(job)
    [(card, _)] = record.models.all()
    assert card.training["images"] == 36
    assert card.training["data"]["fingerprint"] == frozen.fingerprint
    assert card.training["data"]["held_back"] == 0
    assert card.training["validation"]["split"] == "validation"
    assert (card.metrics["test"]["n"], card.metrics["judge"]["n"]) == (12, 60)
    assert card.metrics["test"]["completeness"] is None
    assert {"test-roc.svg", "judge-roc.svg", "benchmark-roc.svg"} <= set(card.plots)


def test_a_benchmark_is_not_trained_on(record: Record, settings: Settings) -> None:
    freeze(record, "judge", 2, benchmark=True)
    job = accept(record, replace(REQUEST, dataset="judge"))
    trainer(record, settings).train(job)
    assert "'judge' is the benchmark of rb" in failure_of(record, job)


def doing(record: Record, job: str) -> str | None:
    found = record.trainings.get(job)
    return None if found is None else found.doing


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not what():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def _first_of(versions: list[str]) -> Callable[[str], str]:
    left = iter(versions)
    return lambda _: next(left)
