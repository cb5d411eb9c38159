"""A process and those below it are stopped, go on, and are measured while they do nothing."""

import subprocess
import time
from pathlib import Path

from bench.process_tree import continue_tree, idle_share, process_tree, stop_tree


def test_a_process_is_stopped_with_those_below_it_and_goes_on_with_them() -> None:
    with subprocess.Popen(["sh", "-c", "sleep 60 & echo there; wait"], stdout=subprocess.PIPE) as shell:
        assert shell.stdout is not None
        shell.stdout.readline()
        tree = process_tree(shell.pid)
        assert len(tree) == 2
        try:
            stop_tree(shell.pid)
            _await_states(tree, "T")
            continue_tree(shell.pid)
            _await_states(tree, "S")
        finally:
            for pid in reversed(tree):
                subprocess.run(["kill", "-9", str(pid)], check=True)
    stop_tree(shell.pid)  # nobody there


def test_what_idle_processes_take_counts_none_that_ends_meanwhile() -> None:
    script = "(end=$(($(date +%s) + 2)); while [ $(date +%s) -lt $end ]; do :; done) & sleep 60"
    with subprocess.Popen(["sh", "-c", script]) as shell:
        try:
            while len(process_tree(shell.pid)) < 3:
                time.sleep(0.01)
            assert 0 <= idle_share([shell.pid], for_s=4.0) < 0.1
        finally:
            for pid in reversed(process_tree(shell.pid)):
                subprocess.run(["kill", "-9", str(pid)], check=False)


def _await_states(pids: list[int], state: str) -> None:
    deadline = time.monotonic() + 10
    while {_state(pid) for pid in pids} != {state}:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
