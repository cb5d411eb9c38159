"""Lines of JSON, and what they are about."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from core.telemetry import JsonLines, logged_about


def line(**extra: object) -> dict[str, object]:
    record = logging.makeLogRecord({"name": "worker", "levelname": "INFO", "msg": "done", **extra})
    found: dict[str, object] = json.loads(JsonLines().format(record))
    return found


def test_every_line_of_a_block_names_its_job_and_shard_and_no_other_line_does() -> None:
    with logged_about(job="j", shard=3):
        with logged_about(worker="host:gpu0"):
            inner = line(scored=5)
        outer = line()
    about = {"job": "j", "shard": 3}
    assert about | {"worker": "host:gpu0", "scored": 5} == {
        k: inner[k] for k in ("job", "shard", "worker", "scored")
    }
    assert about == {k: outer[k] for k in about}
    assert "worker" not in outer
    assert "job" not in line()


def test_threads_that_are_given_the_context_say_it_too() -> None:
    with ThreadPoolExecutor(1) as threads, logged_about(job="j"):
        assert "job" not in threads.submit(line).result()
        assert threads.submit(copy_context().run, line).result()["job"] == "j"
