"""A process and those below it are stopped, and go on."""

import subprocess
import time
from pathlib import Path

from bench.process_tree import continue_tree, process_tree, stop_tree


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


def _await_states(pids: list[int], state: str) -> None:
    deadline = time.monotonic() + 10
    while {_state(pid) for pid in pids} != {state}:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
