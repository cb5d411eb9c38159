"""`.state/service.json` and its lock: who runs the service on this machine, and where it is."""

import fcntl
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cli.local.private_files import FILE_MODE, private_folder, unusable, write_private
from cli.local.processes import ProcessId


@dataclass(frozen=True)
class ServiceRecord:
    """What another process may know of a running service.

    `url` and `flower_url` are reachable once `ready` is true. The passwords are in `secrets_file`. `gateway`
    is where other hosts reach the service over TLS, as `ADDRESS:PORT`; empty where none do.
    """

    supervisor: ProcessId
    url: str
    flower_url: str
    secrets_file: str
    ready: bool = False
    processes: dict[str, ProcessId] = field(default_factory=dict)
    gateway: str = ""

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "ServiceRecord":
        """The inverse of `to_json`; raises KeyError or TypeError for anything else."""
        processes = {name: ProcessId(**process) for name, process in value["processes"].items()}
        return cls(**{**value, "supervisor": ProcessId(**value["supervisor"]), "processes": processes})


class RecordFile:
    """The record in a state folder. Who holds the lock runs the service; the kernel frees it at any death.

    Every method raises Misconfigured where the state folder can't be one.
    """

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / "service.json"
        self._lock_path = state_dir / "service.lock"
        self._lock: int | None = None

    def acquire(self) -> bool:
        """Become the one that runs the service; False when another process does."""
        private_folder(self.path.parent)
        descriptor = self._open_lock(os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._lock = descriptor
        return True

    def release(self) -> None:
        """Remove the record and free the lock."""
        if self._lock is not None:
            self.path.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def is_locked(self) -> bool:
        """Whether some process runs the service, or is starting or stopping it."""
        if self._lock is not None:
            return True
        try:
            descriptor = self._open_lock()
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def _open_lock(self, flags: int = 0) -> int:
        try:
            return os.open(self._lock_path, os.O_RDWR | flags, FILE_MODE)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise unusable(self._lock_path, error) from error

    def write(self, record: ServiceRecord) -> None:
        """Publish the record, in one step."""
        write_private(self.path, json.dumps(record.to_json(), indent=2) + "\n")

    def read(self) -> ServiceRecord | None:
        """The record that is there, be it stale; None when there is none, or one of another shape."""
        try:
            return ServiceRecord.from_json(json.loads(self.path.read_text("utf-8")))
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            return None
        except OSError as error:
            raise unusable(self.path, error) from error

    def running(self) -> ServiceRecord | None:
        """The record of the service that runs now; None when none does."""
        return self.read() if self.is_locked() else None

    def clear_leftovers(self) -> list[str]:
        """Kill what a service that crashed left running; returns the names. Only for who holds the lock."""
        stale = self.read()
        processes = stale.processes if stale else {}
        killed = [name for name, process in processes.items() if process.kill_group()]
        # Their ports and files are free once they have ended, not before.
        self.await_change(lambda: not any(process.is_running() for process in processes.values()), 10.0)
        self.path.unlink(missing_ok=True)
        return killed

    def await_change(self, reached: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until `reached()`; False when it is not after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while not reached():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True
