"""Child processes that never outlive their parent, never become zombies, and write to a log of their own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from cli.local import tether
from cli.local.private_files import FILE_MODE, private_folder
from cli.local.processes import group_members

LOG_BYTES = 20 * 2**20
POLL_S = 0.02


class Child:
    """A running program in a session and process group of its own.

    The kernel kills it when the *thread* that started it ends: start it from the main thread or from one
    that lives as long as the child. What it starts in turn stays in its group and is killed with it, unless
    it leaves the group.

    Parameters
    ----------
    name : what people call it.
    argv : the program and its arguments. Everybody on the machine can read these: no secrets.
    log : the file to which its standard output and error are appended; set aside when it grows beyond 20 MB.
    env : its whole environment; by default the parent's.
    cwd : the folder that it runs in.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self.argv = tuple(argv)
        self.log = log
        self._status: int | None = None
        private_folder(log.parent)
        set_aside(log)
        command = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), *argv]
        with open_log(log) as output:
            self._log_start = output.tell()
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if env is None else dict(env),
                cwd=cwd,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id, which is its process group's too."""
        return self._process.pid

    def poll(self) -> int | None:
        """The exit status (negative: the signal), or None while it runs. When ended, so has its group."""
        if self._status is None and _has_ended(self.pid):
            # Killed before the leader is reaped: until then nobody else can get this group id.
            _kill_group(self.pid)
            self._status = self._process.wait()
        return self._status

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.poll() is None

    def wait(self, timeout_s: float) -> int | None:
        """Wait for its end; None when it still runs after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while self.poll() is None and time.monotonic() < deadline:
            time.sleep(POLL_S)
        return self._status

    def terminate(self) -> None:
        """Ask it to end (SIGTERM to it alone: it decides what to do with its own children)."""
        if self.alive:
            self._process.send_signal(signal.SIGTERM)

    def stop(self, grace_s: float = 10.0) -> int:
        """Ask it to end; kill it and all its group after `grace_s`. Returns the exit status."""
        self.terminate()
        status = self.wait(grace_s)
        return self.kill() if status is None else status

    def kill(self) -> int:
        """Kill it and all its group at once (SIGKILL); returns the exit status."""
        if self.alive:
            _kill_group(self.pid)
        while (status := self.wait(5.0)) is None:
            pass
        return status

    def said(self, *, lines: int = 15) -> str:
        """The last lines that it wrote since it was started, for an error message."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(self._log_start, file.seek(0, os.SEEK_END) - 65536))
                text = file.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return f"({self.log} is not there any more)"
        return "\n".join(text.splitlines()[-lines:])


def open_log(path: Path) -> BinaryIO:
    """Open a log for appending; only its owner may read it."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, FILE_MODE), "ab")


def _has_ended(pid: int) -> bool:
    """Whether the child is a zombie now; it stays one, so that its group id stays taken."""
    result = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return result is not None and result.si_pid == pid


def _kill_group(group: int) -> None:
    """Kill every process of the group and wait (a few ms, 5 s at most) until none runs."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    deadline = time.monotonic() + 5.0
    while group_members(group) and time.monotonic() < deadline:
        time.sleep(0.005)


def set_aside(log: Path, limit: int = LOG_BYTES) -> None:
    """Rename a log that has grown beyond `limit` bytes, over the one that was set aside before it."""
    if log.exists() and log.stat().st_size > limit:
        log.replace(log.with_name(f"{log.name}.1"))
