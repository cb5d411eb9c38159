"""What is older than the settings let it be goes; what is needed stays; by default all stays."""

import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.job import Item, Job, JobState, ShardResult, new_job_id
from core.outcome import Outcome
from core.settings import Retention
from core.training import TrainingRequest
from storage import retention
from storage.cutouts import CutoutRecord
from storage.nights import NightCutout
from storage.record import Record
from storage.retention import RetentionKeeper
from tests.record import card, register

LATER = datetime.now(UTC) + timedelta(days=100)
TRAINING = TrainingRequest(
    classifier="rb", dataset="sample", architecture="vgg6", recipe="default", epochs=3, batch_size=8, seed=1
)


def keeper(record: Record, logs: Path, **days: float) -> RetentionKeeper:
    """As it is in a hundred days."""
    return RetentionKeeper(record, Retention(**days), logs=logs, now=lambda: LATER)


def job(record: Record, *, versions: tuple[str, ...] = ("rb@2",), ends: bool = True) -> str:
    new = Job(new_job_id(), versions, "live", "me", items=1, shards=1)
    item = Item("a.jpg", "a", "1" * 64)
    record.shards.insert(new.id, [[item]], priority="live")
    record.jobs.accept(new)
    if ends:
        lease = record.shards.claim(new.id, 0, worker="w")
        assert lease is not None
        record.shards.close(lease, ShardResult(1, 0))
        record.jobs.finish(new.id)
    return new.id


def jobs(record: Record) -> set[str]:
    return {document["_id"] for document in record.database["jobs"].find()}


@pytest.fixture
def filled(record: Record) -> Record:
    """rb@1 was archived in favour of rb@2; one cutout shows rb@2's score, each version has scored three."""
    register(record, "rb@1", "sl@1")
    record.models.register(card("rb@2", b"rb@2"), b"rb@2")
    record.models.promote("rb@2", by="me", even_if_worse=True)
    outcomes = [Outcome(f"{n}", version, 0.5, None) for n in range(3) for version in ("rb@1", "rb@2")]
    record.outcomes.insert(outcomes, provenance={"job": "j"})
    record.cutouts.own([CutoutRecord("0", "0" * 64)])
    record.cutouts.set_production({"0": {"rb": 0.5, "versions": {"rb": "rb@2"}, "scores": {"rb@2": 0.5}}})
    return record


def of_versions(record: Record) -> Counter[str]:
    return Counter(document["_id"]["version"] for document in record.database["outcomes"].find())


def test_by_default_nothing_goes(filled: Record, tmp_path: Path) -> None:
    job(filled)
    before = {n: list(filled.database[n].find()) for n in filled.database.list_collection_names()}
    assert keeper(filled, tmp_path).step(for_s=9) == 0
    assert {n: list(filled.database[n].find()) for n in before} == before


def test_ended_jobs_go_with_their_shards_and_those_that_are_needed_stay(
    record: Record, tmp_path: Path
) -> None:
    gone, unfinished, of_a_night = job(record), job(record, ends=False), job(record)
    record.nights.note_cutouts("20261101", [NightCutout("a", "a.jpg", "1" * 64)], job=of_a_night)
    trained = Job(new_job_id(), (), "bulk", "me", items=0, shards=0, kind="train")
    record.trainings.insert(trained.id, TRAINING)
    record.jobs.accept(trained)
    record.jobs.cancel(trained.id)  # its training is not, yet
    assert keeper(record, tmp_path, jobs_days=101).step(for_s=9) == 0
    assert keeper(record, tmp_path, jobs_days=99).step(for_s=9) == 1
    assert jobs(record) == {unfinished, of_a_night, trained.id}
    left = {document["_id"]["job"] for document in record.database["shards"].find()}
    assert left == {unfinished, of_a_night}
    assert gone not in left
    record.trainings.cancel(trained.id)
    assert keeper(record, tmp_path, jobs_days=99).step(for_s=9) == 1
    assert record.trainings.get(trained.id) is None


def test_outcomes_of_what_was_archived_long_ago_go_and_no_others(filled: Record, tmp_path: Path) -> None:
    assert keeper(filled, tmp_path, outcomes_days=101).step(for_s=9) == 0
    assert keeper(filled, tmp_path, outcomes_days=99).step(for_s=9) == 3
    assert of_versions(filled) == {"rb@2": 3}


def test_outcomes_that_a_cutout_shows_or_an_unfinished_job_names_stay(filled: Record, tmp_path: Path) -> None:
    waits = job(filled, versions=("rb@1", "sl@1"), ends=False)
    assert keeper(filled, tmp_path, outcomes_days=99).step(for_s=9) == 0
    filled.jobs.cancel(waits)
    filled.cutouts.set_production({"0": {"rb": 0.5, "versions": {"rb": "rb@1"}, "scores": {"rb@1": 0.5}}})
    assert keeper(filled, tmp_path, outcomes_days=99).step(for_s=9) == 0
    assert of_versions(filled) == {"rb@1": 3, "rb@2": 3}


def test_a_version_that_is_promoted_or_used_meanwhile_loses_no_more(
    filled: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_AT_ONCE", 1)
    keeps = keeper(filled, tmp_path, outcomes_days=99)
    assert [keeps.step(for_s=0) for _ in range(2)] == [0, 1]
    waits = job(filled, versions=("rb@1", "sl@1"), ends=False)
    assert keeps.step(for_s=9) == 0
    filled.jobs.cancel(waits)
    keeps = keeper(filled, tmp_path, outcomes_days=99)
    assert [keeps.step(for_s=0) for _ in range(2)] == [0, 1]
    filled.models.promote("rb@1", by="me", even_if_worse=True)
    filled.models.promote("rb@2", by="me", even_if_worse=True)  # archived again, and not long ago
    assert keeps.step(for_s=9) == 0
    assert of_versions(filled) == {"rb@1": 1, "rb@2": 3}


def test_an_outcome_that_is_younger_than_the_limit_stays(filled: Record, tmp_path: Path) -> None:
    late = {"_id": {"cutout": "1", "version": "rb@1"}}
    filled.database["outcomes"].update_one(late, {"$set": {"at": LATER}})
    assert keeper(filled, tmp_path, outcomes_days=99).step(for_s=9) == 2
    assert of_versions(filled) == {"rb@1": 1, "rb@2": 3}


def test_cutouts_are_gone_through_a_few_at_a_time(
    filled: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_LOOKED_AT", 2)
    filled.cutouts.own([CutoutRecord(f"{n}", f"{n}" * 64) for n in range(1, 5)])
    keeps = keeper(filled, tmp_path, outcomes_days=99)
    assert [keeps.step(for_s=0) for _ in range(4)] == [0, 0, 0, 3]
    filled.outcomes.insert([Outcome("4", "rb@1", 0.5, None)], provenance={"job": "j"})
    filled.cutouts.set_production({"4": {"rb": 0.5, "versions": {"rb": "rb@1"}, "scores": {"rb@1": 0.5}}})
    assert keeper(filled, tmp_path, outcomes_days=99).step(for_s=9) == 0


def test_a_step_looks_at_one_version_at_least_and_at_no_more_than_it_has_time_for(
    filled: Record, tmp_path: Path
) -> None:
    filled.database["outcomes"].delete_many({})
    for version in ("rb@3", "rb@4"):
        filled.models.register(card(version, b"w"), b"w")
        filled.models.archive(version, by="me")
    keeps = keeper(filled, tmp_path, outcomes_days=99, audit_days=99)
    assert [keeps.step(for_s=0) for _ in range(4)] == [0, 0, 0, 4]  # three versions, and the audit


def test_outcomes_of_what_an_upgrade_replaced_go_too(record: Record, tmp_path: Path) -> None:
    light = record.models.register_shipped("light")
    record.models.register_shipped("best")
    replaced = sorted(set(light) - set(record.models.production()))
    record.outcomes.insert(
        [Outcome("a", version, 0.5, None) for version in replaced], provenance={"job": "j"}
    )
    models = record.database["models"]
    assert models.count_documents({"_id": {"$in": replaced}, "archived_at": {"$type": "date"}}) == len(
        replaced
    )
    models.update_one({"_id": replaced[0]}, {"$unset": {"archived_at": ""}})  # as earlier releases left it
    assert keeper(record, tmp_path, outcomes_days=101).step(for_s=9) == 0
    assert keeper(record, tmp_path, outcomes_days=99).step(for_s=9) == len(replaced)


def test_the_audit_goes_by_its_age(record: Record, tmp_path: Path) -> None:
    audit = record.database["audit"]
    ages = [1, 50, 150]
    audit.insert_many([{"what": "x", "who": "me", "at": LATER - timedelta(days=age)} for age in ages])
    assert keeper(record, tmp_path, audit_days=60).step(for_s=9) == 1
    assert audit.count_documents({}) == 2


def test_logs_that_were_set_aside_go_and_those_of_what_runs_in_silence_stay(
    record: Record, tmp_path: Path
) -> None:
    for name, age_days in (("api.log", 40), ("api.log.1", 20), ("worker.log.1", 40), ("notes.txt", 40)):
        (tmp_path / name).touch()
        then = LATER.timestamp() - age_days * 86400
        os.utime(tmp_path / name, (then, then))
    assert keeper(record, tmp_path, logs_days=30).step(for_s=9) == 1
    assert {path.name for path in tmp_path.iterdir()} >= {"api.log", "api.log.1", "notes.txt"}
    assert not (tmp_path / "worker.log.1").exists()


def test_a_step_is_short_and_the_next_goes_on(record: Record, tmp_path: Path) -> None:
    for _ in range(3):
        job(record)
    keeps = keeper(record, tmp_path, jobs_days=99)
    assert [keeps.step(for_s=0) for _ in range(6)] == [1, 1, 1, 0, 0, 0]
    job(record)
    assert keeps.step(for_s=9) == 0  # the next pass is in an hour
    assert len(jobs(record)) == 1
    assert [found.state for found in record.jobs.newest(1)] == [JobState.FINISHED]
