"""The shares of the stages, and which of them is the limit."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bench.stages import StageClock, limit, told, typical

BUSY = {"infer": 0.97, "wait": 0.01, "record": 0.02, "read": 0.05, "decode": 0.2, "write": 0.1}


def test_the_limit_is_the_engine_or_what_it_waits_for() -> None:
    starved = BUSY | {"infer": 0.3, "wait": 0.65, "decode": 3.1}
    assert limit(BUSY) == "infer"
    assert limit(starved) == "decode"
    assert limit(starved | {"read": 3.9}) == "read"
    assert limit(BUSY | {"infer": 0.2, "record": 0.79}) == "record"
    assert told(BUSY).startswith("infer 97.0%, decode 20.0%")
    assert typical([BUSY, starved, BUSY]) == BUSY


def test_shares_are_of_what_was_added_since_by_the_process_that_has_a_seat(tmp_path: Path) -> None:
    metrics, fresh = tmp_path / "metrics", tmp_path / "fresh"
    text = 'streaks_stage_seconds_total{{stage="infer"}} {}\nstreaks_stage_seconds_total{{stage="wait"}} {}\n'
    seconds = [5.0, 1.0]
    ended = threading.Event()

    def write() -> None:
        while not ended.wait(0.05):
            fresh.write_text("# TYPE streaks_stage_seconds counter\n" + text.format(*seconds))
            fresh.replace(metrics)

    seat = {"STREAKS_SEAT": json.dumps({"pulse": str(tmp_path / "pulse")})}
    sleeper = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, env=seat
    )
    seatless = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, env={}
    )
    writer = threading.Thread(target=write)
    try:
        with pytest.raises(RuntimeError, match="scores; expected one with a seat"):
            StageClock(seatless.pid)
        writer.start()
        time.sleep(0.1)
        clock = StageClock(sleeper.pid)
        seconds[:] = [12.0, 2.0]
        time.sleep(0.1)
        assert clock.shares(10.0) == {"infer": 0.7, "wait": 0.1, "record": 0.2}
    finally:
        ended.set()
        sleeper.communicate()
        seatless.communicate()
        writer.join()
