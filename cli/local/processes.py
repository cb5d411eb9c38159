"""Processes of this machine, told apart by id and start time (an id alone is given again to others)."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessId:
    """One process and no other: its id, and when it started, in clock ticks since boot (0: not known)."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> "ProcessId":
        """The process that has this id now; `started` is 0 when it has ended."""
        return cls(pid, _start_ticks(pid))

    def is_running(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        return self.started != 0 and _start_ticks(self.pid) == self.started

    def kill_group(self) -> bool:
        """Kill it and its process group, if it still runs and leads one; True when it did."""
        if not self.is_running():
            return False
        try:
            if os.getpgid(self.pid) == self.pid:
                os.killpg(self.pid, signal.SIGKILL)
            else:
                os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True


def group_members(group: int) -> list[int]:
    """The processes of this group that still run (zombies do not)."""
    pids = (int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit())
    return [pid for pid in pids if (fields := _stat(pid)) and int(fields[2]) == group]


def _start_ticks(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[19]) if fields else 0


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from its third, the state, on; empty for a zombie or nobody."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return []
    fields = text.rpartition(")")[2].split()  # the name before it may hold blanks and parentheses
    return [] if fields[0] in "ZX" else fields
