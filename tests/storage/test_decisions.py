"""Thresholds that are moved, and what becomes of the decisions on record."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.decision import is_plausible
from core.errors import InvalidRequest, NotFound
from core.job import Item, Job, new_job_id
from core.outcome import Outcome
from core.settings import Settings
from storage.cutouts import CutoutRecord, Decision
from storage.decisions import decide_again, plausible_now, production_fields
from storage.migrations import migrate
from storage.record import Record
from storage.results import Cursor, read_results
from tests.record import register

ROOT = Path(__file__).parents[2]
RB, SL = "rb@1", "sl@1"


def scores_of(n: int) -> dict[str, dict[str, float]]:
    return {f"cutout-{i:04}": {RB: i / n, SL: 0.9} for i in range(n)}


def put(record: Record, scores: dict[str, dict[str, float]]) -> None:
    record.cutouts.announce([CutoutRecord(cutout, None) for cutout in scores])
    record.cutouts.set_production(production_fields(record.models, scores))


def disagreeing(record: Record) -> int:
    """Cutouts whose `plausible` is not what the rule says."""
    found = list(record.database["cutouts"].find({"versions": {"$exists": True}}))
    return sum(
        cutout["plausible"] is not is_plausible(cutout["scores"], record.models.thresholds(cutout["scores"]))
        for cutout in found
    )


def undecided(record: Record) -> int:
    return len(record.cutouts.undecided(record.models.setting(), limit=10_000))


@pytest.fixture
def scored(record: Record) -> Record:
    register(record, RB, SL)
    put(record, scores_of(200))
    return record


def test_a_threshold_that_is_moved_moves_the_decisions(scored: Record) -> None:
    assert decide_again(scored, for_s=9) == 0
    assert scored.models.set_threshold(RB, 0.61, by="me") == 0.5
    assert disagreeing(scored) == 22
    assert decide_again(scored, for_s=9) == 200
    assert (disagreeing(scored), undecided(scored)) == (0, 0)
    assert scored.database["cutouts"].count_documents({"plausible": True}) == 78
    assert decide_again(scored, for_s=9) == 0


def test_only_what_was_decided_otherwise_is_modified(scored: Record) -> None:
    before = {d["_id"]: d["last_modified"] for d in scored.database["cutouts"].find()}
    scored.models.set_threshold(RB, 0.61, by="me")
    decide_again(scored, for_s=9)
    after = {d["_id"]: d["last_modified"] for d in scored.database["cutouts"].find()}
    assert sum(before[cutout] != after[cutout] for cutout in after) == 22


PASS = """
from core.settings import load_settings
from storage.record import open_record
from storage.decisions import decide_again
record = open_record(load_settings())
while decide_again(record, for_s=0, at_once=10):
    print("ten", flush=True)
"""


def test_a_pass_that_is_killed_half_way_is_finished_by_the_next(scored: Record, settings: Settings) -> None:
    scored.models.set_threshold(RB, 0.25, by="me")
    assert settings.mongo_url is not None
    environ = {
        "DA_MONGO_URL": settings.mongo_url.get_secret_value(),
        "DA_MONGO_DATABASE": settings.mongo_database,
        "DA_STATE_DIR": str(settings.state_dir),
        "PYTHONPATH": str(ROOT),
    }
    with subprocess.Popen([sys.executable, "-c", PASS], env=environ, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        for _ in range(3):
            assert running.stdout.readline() == b"ten\n"
        running.send_signal(signal.SIGKILL)
    assert 0 < undecided(scored) < 200
    left = undecided(scored)
    assert decide_again(scored, for_s=9, at_once=7) == left
    assert (disagreeing(scored), undecided(scored)) == (0, 0)


def test_a_worker_that_decided_by_the_thresholds_before_is_made_good(scored: Record) -> None:
    late = production_fields(scored.models, {"cutout-late": {RB: 0.55, SL: 0.9}})
    scored.models.set_threshold(RB, 0.6, by="me")
    decide_again(scored, for_s=9)
    scored.cutouts.announce([CutoutRecord("cutout-late", None)])
    scored.cutouts.set_production(late)
    assert disagreeing(scored) == 1
    assert decide_again(scored, for_s=9) == 1
    assert disagreeing(scored) == 0


def test_a_decision_on_scores_that_were_replaced_since_is_not_written(scored: Record) -> None:
    register(scored, "rb@2")
    scored.models.set_threshold(RB, 0.6, by="me")
    old_reading = scored.cutouts.undecided(scored.models.setting(), limit=1)
    cutout = old_reading[0]["_id"]
    scored.cutouts.set_production(production_fields(scored.models, {cutout: {"rb@2": 0.99, SL: 0.99}}))
    assert scored.cutouts.decide([Decision(old_reading[0], False)], setting=scored.models.setting()) == 0
    found = scored.cutouts.get(cutout)
    assert found is not None
    assert (found["plausible"], found["rb"], found["versions"]["rb"]) == (True, 0.99, "rb@2")


def test_a_record_of_before_is_decided_from_the_fields_that_it_has(record: Record) -> None:
    register(record, RB, SL)
    record.database["cutouts"].insert_one(
        {"_id": "old", "rb": 0.4, "sl": 0.9, "plausible": False, "versions": {"rb": RB, "sl": SL}}
    )
    record.database["cutouts"].insert_one({"_id": "never scored"})
    record.database["service"].delete_one({"_id": "schema"})
    migrate(record)
    record.models.set_threshold(RB, 0.3, by="me")
    assert decide_again(record, for_s=9) == 1
    found = record.cutouts.get("old")
    assert found is not None
    assert found["plausible"] is True


def test_answers_follow_the_thresholds_at_once(scored: Record) -> None:
    """Before the pass has come by: those of a job, and of one cutout."""
    job = Job(new_job_id(), (RB, SL), "live", "me", items=1, shards=1)
    item = Item("a.jpg", cutout="cutout-0110", sha256="a" * 64)
    scored.shards.insert(job.id, [[item]], priority="live")
    job = scored.jobs.accept(job)
    outcomes = [Outcome("cutout-0110", RB, 0.55), Outcome("cutout-0110", SL, 0.9)]
    scored.outcomes.insert(outcomes, provenance={})
    for threshold, plausible in ((0.6, False), (0.55, True)):
        scored.models.set_threshold(RB, threshold, by="me")
        (result,) = read_results(scored, job, start=Cursor(), limit=9).results
        cutout = scored.cutouts.get("cutout-0110")
        assert cutout is not None
        assert result.plausible is plausible_now(scored.models, cutout) is plausible


def test_a_threshold_is_audited_with_what_it_was(scored: Record) -> None:
    scored.models.set_threshold(RB, 0.61, by="olga")
    scored.models.set_threshold(RB, 0.61, by="olga")
    scored.models.set_threshold(RB, 0.4, by="me")
    entries = list(scored.database["audit"].find({"what": "threshold"}).sort("at", 1))
    assert [(e["version"], e["before"], e["threshold"], e["who"]) for e in entries] == [
        (RB, 0.5, 0.61, "olga"),
        (RB, 0.61, 0.4, "me"),
    ]
    assert scored.models.setting() == 2


@pytest.mark.parametrize("threshold", [0, 1, -0.1, 1.5, float("nan"), float("inf")])
def test_a_threshold_that_decides_nothing_is_refused(scored: Record, threshold: float) -> None:
    with pytest.raises(InvalidRequest, match="expected a number above 0 and below 1"):
        scored.models.set_threshold(RB, threshold, by="me")
    assert scored.models.setting() == 0


def test_a_threshold_of_no_version_is_refused(scored: Record) -> None:
    with pytest.raises(NotFound):
        scored.models.set_threshold("rb@9", 0.4, by="me")


def test_looking_for_what_is_undecided_reads_no_cutout_that_is_not(scored: Record) -> None:
    query = {"versions": {"$exists": True}, "decided_by": {"$ne": scored.models.setting()}}
    told = scored.database.command(
        "explain", {"find": "cutouts", "filter": query}, verbosity="executionStats"
    )
    assert told["executionStats"]["totalDocsExamined"] == 0


def test_a_family_passes_by_any_member_and_shows_the_highest(record: Record) -> None:
    register(record, RB, "rb@2", SL)
    scores = {"a": {RB: 0.2, "rb@2": 0.7, SL: 0.9}, "b": {RB: 0.2, "rb@2": 0.3, SL: 0.9}}
    put(record, scores)
    a, b = (record.cutouts.get(name) for name in "ab")
    assert a is not None
    assert b is not None
    assert (a["plausible"], a["rb"], a["versions"]) == (True, 0.7, {"rb": "rb@2", "sl": SL})
    assert (a["scores"], b["plausible"]) == (scores["a"], False)
    record.models.set_threshold(RB, 0.2, by="me")
    record.models.set_threshold("rb@2", 0.8, by="me")
    assert decide_again(record, for_s=9) == 2
    a, b = (record.cutouts.get(name) for name in "ab")
    assert a is not None
    assert b is not None
    assert (a["plausible"], b["plausible"]) == (True, True)


def test_a_family_more_is_one_that_every_streak_has_to_pass(record: Record) -> None:
    register(record, RB, SL, "kd@1")
    put(record, {"a": {RB: 0.9, SL: 0.9, "kd@1": 0.1}, "b": {RB: 0.9, SL: 0.9, "kd@1": 0.9}})
    found = {d["_id"]: (d["kd"], d["plausible"]) for d in record.database["cutouts"].find()}
    assert found == {"a": (0.1, False), "b": (0.9, True)}
