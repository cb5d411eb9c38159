"""What the embedded Redis and MongoDB have in common: a private folder, a kept port, one user at a time."""

import fcntl
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from cli.local.children import Child
from cli.local.ports import free_port
from cli.local.private_files import FILE_MODE, private_folder, write_private
from core.errors import Conflict, Unavailable

ATTEMPTS = 3
PORT_TAKEN = ("Address already in use", "address in use")


class EmbeddedServer(ABC):
    """A database server that this process owns, on loopback, behind a password.

    May be started, stopped or killed, and started again; data and port stay. The server dies with the thread
    that started it (see `Child`).

    Parameters
    ----------
    state_dir : the folder that holds the servers' folders and `logs/`.
    say : where progress is told, one sentence at a time.
    """

    name: str

    def __init__(self, state_dir: Path, *, say: Callable[[str], None] = lambda _: None) -> None:
        self.folder = state_dir.absolute() / self.name
        self.log = state_dir.absolute() / "logs" / f"{self.name}.log"
        self.process: Child | None = None
        self._say = say
        self._lock: int | None = None

    def start(self, *, timeout_s: float = 90.0) -> str:
        """Start the server and wait until it takes writes; returns its URL, password included.

        Raises
        ------
        Misconfigured : no program to run, or one that can't run here, or secrets that don't fit the data.
        Conflict : another process runs a server on the same folder.
        Unavailable : the server ended, or was not ready within `timeout_s`; the message holds its last words.
        """
        if self.process is not None and self.process.alive:
            return self.url
        private_folder(self.folder)
        self._take_folder()
        try:
            return self._start(time.monotonic() + timeout_s)
        except BaseException:
            self.kill()
            raise

    def _start(self, deadline: float) -> str:
        argv = self.prepare()
        for attempt in range(ATTEMPTS):
            self._choose_port()
            self.process = Child(self.name, self.command(argv), log=self.log)
            try:
                self.await_ready(deadline)
            except Unavailable:
                taken = not self.process.alive and any(word in self.process.said() for word in PORT_TAKEN)
                if not taken or attempt == ATTEMPTS - 1:
                    raise
            else:
                return self.url
        raise AssertionError("unreachable")

    def stop(self, *, grace_s: float = 20.0) -> None:
        """End the server in good order; killed when it takes longer than `grace_s`."""
        if self.process is not None:
            self.process.stop(grace_s)
        self._release_folder()

    def kill(self) -> None:
        """Kill the server with SIGKILL, as a crash would; what it acknowledged as journaled survives."""
        if self.process is not None:
            self.process.kill()
        self._release_folder()

    @property
    def port(self) -> int:
        """The port that it listens on, kept between starts; 0 before the first start."""
        try:
            return int((self.folder / "port").read_text("ascii"))
        except (FileNotFoundError, ValueError):
            return 0

    @property
    @abstractmethod
    def url(self) -> str:
        """Where it is, with user and password."""

    @abstractmethod
    def prepare(self) -> str:
        """Make what the server needs in its folder; returns the path of the program."""

    @abstractmethod
    def command(self, program: str) -> list[str]:
        """The program and its arguments, without secrets."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Take one step towards ready; True when the server takes writes."""

    def await_ready(self, deadline: float) -> None:
        """Wait until the server takes writes; raises Unavailable with its last words when it does not."""
        process = self.process
        while process is not None and time.monotonic() < deadline:
            if self.is_ready():
                return
            if not process.alive:
                raise Unavailable(
                    f"{self.name} ended as it started; its log {self.log} says:\n{process.said()}"
                )
            time.sleep(0.03)
        said = process.said() if process else ""
        raise Unavailable(f"{self.name} did not become ready in time; its log {self.log} says:\n{said}")

    def _choose_port(self) -> None:
        kept = self.port
        port = free_port(kept)
        if port == kept:
            return
        if kept:
            self._say(f"{self.name}: port {kept} is taken now, moving to {port} (may take half a minute)")
        write_private(self.folder / "port", f"{port}\n")

    def _take_folder(self) -> None:
        """Lock the folder for as long as the server runs; the kernel frees it if this process is killed."""
        if self._lock is not None:
            return
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, FILE_MODE)
        deadline = time.monotonic() + 1.0  # a process that was killed just now is still being taken down
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    os.close(descriptor)
                    raise Conflict(f"another process runs {self.name} on {self.folder}") from error
                time.sleep(0.05)
            else:
                self._lock = descriptor
                return

    def _release_folder(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
