"""Does to a running service what a schedule says."""

import os
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from bench.local_service import LocalService
from bench.process_tree import process_tree
from bench.schedule import Fault
from cli.local.embedded import EmbeddedServer
from cli.local.processes import ProcessId

NOBODY = "nobody there"


def worker_name(n: int) -> str:
    """What the program of a worker is called, from 0."""
    return "worker" if n == 0 else f"worker-{n + 1}"


class Disturber:
    """Follows schedules. For the thread that started the servers, which die with it."""

    def __init__(self, local: LocalService) -> None:
        self._local = local
        self._stopped: dict[Fault, list[ProcessId]] = {}

    def follow(self, faults: Sequence[Fault]) -> Counter[str]:
        """Do it all and undo what lasts; returns how many faults of each kind happened.

        One whose victim had just been killed by another happens to nobody.
        """
        began = time.monotonic()
        happened: Counter[str] = Counter()
        steps = sorted(
            step
            for fault in faults
            for step in ((fault.at_s, 0, fault), (fault.at_s + fault.lasts_s, 1, fault))
        )
        try:
            for at_s, is_end, fault in steps:
                time.sleep(max(0.0, began + at_s - time.monotonic()))
                if is_end:
                    self._end(fault)
                else:
                    hit = self._begin(fault)
                    happened[fault.kind if hit else NOBODY] += 1
                    print(f"  {at_s:6.1f} s: {fault.kind}{'' if hit else ': ' + NOBODY}", file=sys.stderr)
        finally:
            for fault in faults:
                self._end(fault)
        return happened

    def _begin(self, fault: Fault) -> bool:
        processes = self._processes(fault)
        if fault.deed == "stopped":
            self._stopped[fault] = processes
            return _signal(processes, signal.SIGSTOP)
        server = self._server(fault.victim)
        if server is None:
            return _signal(processes, signal.SIGKILL)
        server.kill()
        if fault.deed == "emptied":
            shutil.rmtree(server.folder / "data", ignore_errors=True)
        return bool(processes)

    def _end(self, fault: Fault) -> None:
        _signal(self._stopped.pop(fault, []), signal.SIGCONT)
        server = self._server(fault.victim)
        if server is not None and fault.deed != "stopped":
            server.start()

    def _server(self, victim: str) -> EmbeddedServer | None:
        servers: dict[str, EmbeddedServer] = {
            "redis": self._local.servers.redis,
            "mongod": self._local.servers.mongo,
        }
        return servers.get(victim)

    def _processes(self, fault: Fault) -> list[ProcessId]:
        """The victim's processes that run now, parents first."""
        server = self._server(fault.victim)
        if server is not None:
            root = ProcessId.of(server.process.pid) if server.process is not None else ProcessId(0, 0)
        else:
            name = worker_name(fault.worker) if fault.victim in ("child", "worker") else fault.victim
            root = self._local.service.record.processes.get(name, ProcessId(0, 0))
        found = list(_running(root))
        return [process for process in found if _scores(process)] if fault.victim == "child" else found


def _running(root: ProcessId) -> Iterator[ProcessId]:
    if root.is_running():
        with suppress(OSError):  # it ends meanwhile
            yield from (process for pid in process_tree(root.pid) if (process := ProcessId.of(pid)).started)


def _scores(process: ProcessId) -> bool:
    """Whether it is a child of Celery's pool."""
    with suppress(OSError):
        return b"spawn_main" in Path(f"/proc/{process.pid}/cmdline").read_bytes()
    return False


def _signal(processes: Sequence[ProcessId], number: signal.Signals) -> bool:
    """Send it to those that still run, children first; False when that is none."""
    sent = False
    for process in reversed(processes):
        if process.is_running():
            with suppress(ProcessLookupError):
                os.kill(process.pid, number)
                sent = True
    return sent
