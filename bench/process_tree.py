"""A process and those below it, by Linux's /proc."""

from pathlib import Path


def process_tree(pid: int) -> list[int]:
    """The process ids of `pid` and of all its descendants, itself first."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += process_tree(int(child))
    return found


def peak_mib(pid: int) -> int:
    """Peak resident memory of a process, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmHWM"))
