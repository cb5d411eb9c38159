"""A real Celery worker with its spawned scoring process, on real servers."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from bench.process_tree import process_tree
from core.job import Item, Job, JobState, Priority
from core.settings import Scoring, Settings
from storage.canaries import KnownScore
from storage.record import Record
from storage.workers import WorkerInfo
from tasks.app import app
from tasks.messenger import Messenger
from tasks.submit import Submitter
from tasks.sweep import RecordSweeper
from tests.worker.networks import random_bundle
from tests.worker.pictures import noisy_png
from tests.worker.running_worker import PATIENCE_S, Until, running_worker

SHARD = 10  # several of them are one batch


class Place:
    """A record with two small networks in production, and how to submit to it and sweep it."""

    def __init__(self, settings: Settings, record: Record) -> None:
        self.record = record
        messenger = Messenger(app, settings.required_redis_url())
        self._submitter = Submitter(record, messenger, settings.scoring)
        self._sweeper = RecordSweeper(record, messenger)
        self.outcomes = record.database["outcomes"]
        self._environment = os.environ | {
            "DA_MONGO_URL": settings.required_mongo_url(),
            "DA_REDIS_URL": settings.required_redis_url(),
            "DA_MONGO_DATABASE": settings.mongo_database,
            "DA_STATE_DIR": str(settings.state_dir),
            "DA_SCORING__LEASE_S": str(settings.scoring.lease_s),
            "DA_SCORING__HEARTBEAT_S": str(settings.scoring.heartbeat_s),
        }

    def submit(self, count: int, *, seed: int, priority: Priority = "live") -> Job:
        blobs = [self.record.blobs.put(noisy_png(seed + i)) for i in range(count)]
        items = [Item(f"{sha}.png", sha, sha) for sha in blobs]
        return self._submitter.submit_score(items, owner="me", priority=priority)

    def is_finished(self, job: Job) -> bool:
        self._sweeper.sweep()
        found = self.record.jobs.get(job.id)
        return found is not None and found.state == JobState.FINISHED

    def worker(
        self, *options: str, **environment: str
    ) -> AbstractContextManager[tuple["subprocess.Popen[bytes]", Until]]:
        return running_worker(*options, env=self._environment | environment)


@pytest.fixture
def place(settings: Settings, record: Record, tmp_path: Path) -> Place:
    for seed, version in enumerate(("rb@7", "sl@7")):
        record.models.register(*random_bundle(tmp_path / "bundles", version, seed=seed), stage="production")
    scoring = Scoring(shard_size=SHARD, lease_s=3.0, heartbeat_s=0.5)
    return Place(settings.model_copy(update={"scoring": scoring}), record)


def test_a_killed_scoring_process_loses_nothing_and_doubles_nothing(place: Place) -> None:
    job = place.submit(24 * SHARD, seed=1000)
    with place.worker() as (worker, until):
        until(lambda: place.outcomes.count_documents({}) > 0)
        child = place.record.workers.ready()[0].pid
        os.kill(child, signal.SIGKILL)
        until(lambda: place.is_finished(job))
        assert child not in process_tree(worker.pid)
    assert place.outcomes.count_documents({}) == 2 * 24 * SHARD
    progress = place.record.shards.progress(job.id)
    assert (progress.scored, progress.rejected) == (24 * SHARD, 0)


def test_a_stopped_scoring_process_is_replaced_and_loses_nothing(place: Place) -> None:
    job = place.submit(24 * SHARD, seed=4000, priority="bulk")
    with place.worker(DA_WATCHDOG__SILENT_S="6") as (worker, until):
        until(lambda: place.outcomes.count_documents({}) > 0)
        stopped = place.record.workers.ready()[0].pid
        os.kill(stopped, signal.SIGSTOP)
        until(lambda: any(other.replaced for other in place.record.workers.ready()))
        assert stopped not in process_tree(worker.pid)
        (other,) = place.record.workers.ready()
        assert (other.replaced, other.pid != stopped) == (1, True)
        assert "the scoring process has not run for" in other.replaced_why
        until(lambda: place.is_finished(job))
    assert place.outcomes.count_documents({}) == 2 * 24 * SHARD
    progress = place.record.shards.progress(job.id)
    assert (progress.scored, progress.rejected) == (24 * SHARD, 0)


def test_a_worker_whose_engine_scores_otherwise_than_others_ends_and_says_why(place: Place) -> None:
    place.record.canaries.known("rb@7", else_note=KnownScore(-1.0, "another", "float32", "host:gpu9"))
    with place.worker() as (worker, _):
        unwell = {w.unwell for w in _seen(place, worker)}
        assert worker.returncode == 1
    assert any("rb@7 gives the canary" in why and "as host:gpu9 gave it on another" in why for why in unwell)


def _seen(place: Place, worker: "subprocess.Popen[bytes]") -> Iterator[WorkerInfo]:
    """The workers that are present, again and again until this one has ended."""
    deadline = time.monotonic() + 2 * PATIENCE_S
    while worker.poll() is None:
        assert time.monotonic() < deadline
        yield from place.record.workers.present()
        assert place.record.workers.ready() == []
        time.sleep(0.1)


def test_a_worker_told_to_end_finishes_its_shard_and_the_next_one_goes_on_and_ends_when_idle(
    place: Place,
) -> None:
    shards = place.record.database["shards"]
    job = place.submit(16 * SHARD, seed=2000, priority="bulk")
    with place.worker() as (worker, until):
        until(lambda: shards.count_documents({"state": "leased"}))
        with place.record.database["workers"].watch() as presence:
            worker.terminate()
            assert worker.wait(PATIENCE_S) == 0
            told = list(iter(presence.try_next, None))
        assert any(
            change.get("updateDescription", {}).get("updatedFields", {}).get("draining") for change in told
        )
        assert told[-1]["operationType"] == "delete"
    assert shards.count_documents({"state": "leased"}) == 0
    assert shards.count_documents({"state": "done"}) >= 1
    assert place.record.workers.present() == []
    with place.worker("--exit-when-idle") as (worker, _):
        deadline = time.monotonic() + PATIENCE_S
        while worker.poll() is None and time.monotonic() < deadline:
            place.is_finished(job)
            time.sleep(0.2)
        assert worker.poll() == 0
    assert place.is_finished(job)
    assert place.outcomes.count_documents({}) == 2 * 16 * SHARD


def test_a_worker_that_looks_into_another_blob_store_ends_and_rejects_nothing(
    place: Place, tmp_path: Path
) -> None:
    place.record.check_blobs()
    job = place.submit(2, seed=3000)
    with place.worker(DA_BLOB_URL=f"file://{tmp_path}/elsewhere") as (worker, _):
        assert worker.wait(PATIENCE_S) is not None
    progress = place.record.shards.progress(job.id)
    assert (progress.scored, progress.rejected, progress.shards_open) == (0, 0, 1)
