"""A real Celery worker with its spawned training process, on real servers."""

import os
import signal
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from bench.process_tree import process_tree
from core.job import JobState
from core.settings import Scoring, Settings
from core.training import Training, TrainingRequest
from storage.record import Record
from tasks.app import app
from tasks.messenger import Messenger
from tasks.submit_training import TrainingSubmitter
from tasks.sweep import RecordSweeper
from tests.worker.running_worker import Until, running_worker

pytestmark = pytest.mark.timeout(480)  # several processes load TensorFlow, one after the other


class Place:
    """A record, and how to submit a training to it and sweep it."""

    def __init__(self, settings: Settings, record: Record) -> None:
        self.record = record
        messenger = Messenger(app, settings.required_redis_url())
        self.sweeper = RecordSweeper(record, messenger)
        self._submitter = TrainingSubmitter(record, messenger)
        self._environment = os.environ | {
            "DA_MONGO_URL": settings.required_mongo_url(),
            "DA_REDIS_URL": settings.required_redis_url(),
            "DA_MONGO_DATABASE": settings.mongo_database,
            "DA_STATE_DIR": str(settings.state_dir),
            "DA_SCORING__LEASE_S": str(settings.scoring.lease_s),
            "DA_SCORING__HEARTBEAT_S": str(settings.scoring.heartbeat_s),
            "DA_TRAINING__VALIDATION_CUTOUTS": "16",
            "DA_TRAINING__TEST_CUTOUTS": "40",
            "DA_TRAINING__BENCHMARK_CUTOUTS": "40",
            "DA_TRAINING__NICENESS": "0",  # else the other tests go first
            "DA_WATCHDOG__SILENT_S": "10",
            "TF_CPP_MIN_LOG_LEVEL": "2",
        }

    def submit(self, *, epochs: int, count: int = 96) -> str:
        request = TrainingRequest(
            classifier="rb",
            dataset="sample",
            architecture="vgg6",
            recipe="default",
            epochs=epochs,
            batch_size=8,
            seed=3,
            count=count,
        )
        return self._submitter.submit(request, owner="me").id

    def training(self, job: str) -> Training:
        self.sweeper.sweep()
        found = self.record.trainings.get(job)
        assert found is not None
        return found

    def cancelled(self, job: str, until: Until) -> None:
        """Cancel a training, and wait for the end of the process, which ends with it."""
        self.record.jobs.cancel(job)
        self.record.trainings.cancel(job)
        pid = worker_of(self.record, job)
        until(lambda: not Path(f"/proc/{pid}").exists())

    def ended(self, job: str) -> bool:
        self.sweeper.sweep()
        found = self.record.jobs.get(job)
        assert found is not None
        assert found.state is not JobState.FAILED, found.failure
        return found.state is JobState.FINISHED and not self.record.trainings.spent_checkpoints()

    def worker(self) -> AbstractContextManager[tuple["subprocess.Popen[bytes]", Until]]:
        return running_worker("--train", env=self._environment)


@pytest.fixture
def place(settings: Settings, record: Record) -> Place:
    scoring = Scoring(lease_s=10.0, heartbeat_s=0.5)  # a busy machine may be slow
    return Place(settings.model_copy(update={"scoring": scoring}), record)


def worker_of(record: Record, job: str) -> int:
    """The process id of who holds a training's lease."""
    document = record.database["trainings"].find_one({"_id": job})
    assert document is not None
    return int(str(document["worker"]).split(":")[1])


def test_a_training_that_hangs_is_killed_goes_on_from_its_last_epoch_and_becomes_a_candidate(
    place: Place,
) -> None:
    job = place.submit(epochs=3)
    with place.worker() as (worker, until):
        until(lambda: place.training(job).epochs)
        attempts = place.training(job).attempts
        hung = worker_of(place.record, job)
        os.kill(hung, signal.SIGSTOP)
        until(lambda: place.ended(job))
        assert hung not in process_tree(worker.pid)
    training = place.training(job)
    assert [figures["epoch"] for figures in training.epochs] == [1, 2, 3]
    assert training.attempts == attempts + 1
    [(card, stage)] = place.record.models.all()
    assert (card.version, stage) == (training.version, "candidate")
    assert card.metrics["benchmark"]["n"] == card.metrics["test"]["n"] == 40
    assert {"benchmark-roc.svg", "test-roc.svg"} <= set(card.plots)
    assert place.record.blobs.get(card.plots["test-roc.svg"]).startswith(b"<")
    assert len(card.training["history"]) == 3


def test_a_training_is_given_back_at_sigterm_and_a_cancelled_one_stops_within_a_batch(place: Place) -> None:
    job = place.submit(epochs=400)
    trainings = place.record.database["trainings"]
    with place.worker() as (worker, until):
        until(lambda: place.training(job).epochs)
        worker.terminate()
        assert worker.wait(30) == 0
    given_back = trainings.find_one({"_id": job})
    assert given_back is not None
    assert (given_back["state"], given_back["tries"]) == ("waiting", 0)
    before = len(place.training(job).epochs)
    with place.worker() as (_, until):
        until(lambda: len(place.training(job).epochs) > before)
        place.cancelled(job, until)
        long_to_draw = place.submit(epochs=1, count=100_000)
        until(lambda: place.training(long_to_draw).doing == "preparing data")
        place.cancelled(long_to_draw, until)
    assert place.record.models.all() == []
    epochs = [figures["epoch"] for figures in place.training(job).epochs]
    assert epochs == list(range(1, len(epochs) + 1))
