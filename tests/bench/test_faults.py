"""The faults benchmark: its schedule, what it makes of two runs, and a short run of all of it."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from bench.schedule import KINDS, draw
from bench.tally import Tally, compare, owed

ROOT = Path(__file__).parents[2]
CALM: Tally = {
    ("result", 0, "a.jpg"): [(0.5, 0.25, True, None)],
    ("result", 0, "b.jpg"): [(None, None, None, "flat")],
    ("cutout", "a"): [("a", 0.5, 0.25, True)],
    ("outcome", "a", "rb@1"): [(0.5, None)],
}
RESULT = ("result", 0, "a.jpg")


def test_a_schedule_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    first, same, other = (draw(seed, minutes=2, every_s=3, lease_s=5, workers=2) for seed in (4, 4, 5))
    assert first == same != other
    assert len(first) == 40
    assert {fault.worker for fault in first} == {0, 1}


def test_a_schedule_is_over_in_time_stops_longer_than_a_lease_and_leaves_out_no_kind() -> None:
    faults = draw(1, minutes=1, every_s=60 / len(KINDS), lease_s=10, workers=1)
    assert Counter((fault.victim, fault.deed) for fault in faults) == dict.fromkeys(KINDS, 1)
    assert all(fault.at_s + fault.lasts_s <= 60 for fault in faults)
    assert all(fault.lasts_s > 10 for fault in faults if fault.deed == "stopped")


def test_a_schedule_that_is_too_short_for_its_leases_is_refused() -> None:
    with pytest.raises(ValueError, match="expected more minutes"):
        draw(1, minutes=0.1, every_s=1, lease_s=10, workers=1)


def test_equal_runs_do_not_differ() -> None:
    found = compare(CALM, {**CALM, RESULT: [(0.5 + 1e-6, 0.25, True, None)]})
    assert (found.lost, found.double, found.different) == ([], [], [])


def test_what_is_missing_what_is_there_twice_and_what_nobody_asked_for_are_found() -> None:
    rough = {**CALM, RESULT: [*CALM[RESULT], *CALM[RESULT]], ("job", 1): [()]}
    del rough["outcome", "a", "rb@1"]
    found = compare(CALM, rough)
    assert found.lost == ["outcome a rb@1"]
    assert found.double == ["result 0 a.jpg", "job 1"]


@pytest.mark.parametrize(
    "value", [(0.5001, 0.25, True, None), (None, 0.25, True, None), (0.5, 0.25, True, "poison")]
)
def test_another_score_or_rejection_is_a_difference(value: tuple[object, ...]) -> None:
    assert len(compare(CALM, {**CALM, RESULT: [value]}).different) == 1


def test_a_file_without_a_result_and_a_cutout_without_an_outcome_are_owed() -> None:
    assert owed(CALM, [["a.jpg", "b.jpg"]], ["rb@1"]) == []
    assert owed(CALM, [["a.jpg", "c.jpg"]], ["rb@1", "rb@2"]) == ["result 0 c.jpg", "outcome a rb@2"]


def test_nothing_is_lost_doubled_or_changed_by_a_short_run_of_faults() -> None:
    arguments = ("--seed", "30", "--minutes", "0.1", "--every", "0.6", "--lease", "2")
    done = subprocess.run(
        [sys.executable, "-m", "bench.faults", *arguments, "--cutouts", "150", "--workers", "1", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=220,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[0])
    assert told["kept"]
    assert sum(told["faults"].values()) + told["faults with nobody there"] == 10
