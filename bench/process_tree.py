"""A process and those below it, by Linux's /proc."""

import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path


def process_tree(pid: int) -> list[int]:
    """The process ids of `pid` and of all its descendants, itself first, without those that end meanwhile."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):
            for child in task.read_text().split():
                found += process_tree(int(child))
    return found


def stop_tree(pid: int) -> None:
    """Let none of them run until `continue_tree`."""
    _signal(pid, signal.SIGSTOP)


def continue_tree(pid: int) -> None:
    """Let all of them run again."""
    _signal(pid, signal.SIGCONT)


def _signal(pid: int, number: signal.Signals) -> None:
    for one in process_tree(pid):
        with suppress(ProcessLookupError):  # it has ended
            os.kill(one, number)


def peak_mib(pid: int) -> int:
    """Peak resident memory of a process, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def cpu_seconds(pid: int) -> float:
    """CPU that a process has used, in its own code and in the kernel's, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def idle_share(roots: Sequence[int], *, for_s: float) -> float:
    """What these and those below them take of a core from now on, less those that begin or end meanwhile."""
    before = _cpu_of(roots)
    time.sleep(for_s)
    after = _cpu_of(roots)
    return sum(after[pid] - before[pid] for pid in before.keys() & after.keys()) / for_s


def _cpu_of(roots: Sequence[int]) -> dict[int, float]:
    found = {}
    for pid in (pid for root in roots for pid in process_tree(root)):
        with suppress(FileNotFoundError, ProcessLookupError):
            found[pid] = cpu_seconds(pid)
    return found
