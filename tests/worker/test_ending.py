"""How the processes of a pool learn that their worker is to end."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORKER = """
import sys, time
from billiard import get_context
from celery.signals import worker_shutting_down
from worker.ending import expect_none_yet, when_told_to_end

def child():
    time.sleep(1)  # as it loads
    told = []
    when_told_to_end(lambda: told.append(1))
    until = time.monotonic() + 20
    while not told and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(2.5)
    sys.exit(told != [1])

if __name__ == "__main__":
    expect_none_yet()
    process = get_context("spawn").Process(target=child)
    process.start()
    worker_shutting_down.send(sender=None)
    process.join()
    sys.exit(process.exitcode)
"""


def test_a_process_that_is_only_just_starting_learns_it_too_and_once(tmp_path: Path) -> None:
    script = tmp_path / "pool.py"
    script.write_text(WORKER)
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    assert subprocess.run([sys.executable, script], env=environment, timeout=60, check=False).returncode == 0
