"""A process and those below it, by Linux's /proc."""

import os
import signal
from contextlib import suppress
from pathlib import Path


def process_tree(pid: int) -> list[int]:
    """The process ids of `pid` and of all its descendants, itself first."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
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
    with suppress(FileNotFoundError):  # it has ended
        for one in process_tree(pid):
            with suppress(ProcessLookupError):
                os.kill(one, number)


def peak_mib(pid: int) -> int:
    """Peak resident memory of a process, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def cpu_seconds(pid: int) -> float:
    """CPU that a process has used, in its own code and in the kernel's, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
