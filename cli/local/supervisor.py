"""Keep a set of processes running: start them in order, restart what dies, stop them in reverse."""

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path

from cli.local.children import Child
from cli.local.embedded import EmbeddedServer
from cli.local.guardian import Guardian
from core.errors import Misconfigured, NotInvited, ServiceError, Unavailable

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 30.0
HEALTHY_AFTER_S = 60.0
DEATHS_BEFORE_READY = 3
READY_CHECK_S = 0.25


@dataclass(frozen=True)
class Program:
    """One process to keep running.

    Attributes
    ----------
    argv : the program and its arguments; no secrets.
    env : its environment, complete.
    ready : whether it does its work; asked only while it runs.
    grace_s : how long it may take to end after SIGTERM.
    ready_timeout_s : how long it may take to become ready, before starting counts as failed.
    group : programs of one group that follow each other are asked to end together.
    may_end : whether it is done, and not dead, once it has ended with status 0. With 77 any program is.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    ready: Callable[[], bool] = lambda: True
    grace_s: float = 10.0
    ready_timeout_s: float = 60.0
    group: str = ""
    may_end: bool = False


@dataclass
class _Kept:
    """One process that is kept running, and what the supervisor remembers of it."""

    name: str
    launch: Callable[[], Child]
    is_ready: Callable[[], bool]
    grace_s: float
    ready_timeout_s: float
    child: Child
    ready: bool = False
    group: str = ""
    may_end: bool = False
    started_at: float = field(default_factory=time.monotonic)
    start_at: float | None = None
    asked_at: float = 0.0
    delay_s: float = FIRST_DELAY_S
    deaths_before_ready: int = 0

    @property
    def done(self) -> bool:
        """Whether it has ended for good."""
        status = self.child.poll()
        return status == os.EX_NOPERM or (self.may_end and status == 0)

    def last_words(self) -> str:
        return f"its log {self.child.log} says:\n{self.child.said()}"


class Supervisor:
    """Runs servers and programs. All its methods are for one thread, which must live as long as they do.

    Parameters
    ----------
    servers : started first, one after the other, and stopped last.
    logs : the folder of the programs' logs.
    cwd : the folder that the programs run in.
    say : where starts, deaths and restarts are told.
    changed : called with the process ids by name whenever one of them has changed, and again where it could
        not write them.
    hurry : when set, `stop` waits for nobody.
    """

    def __init__(
        self,
        servers: Sequence[EmbeddedServer],
        *,
        logs: Path,
        cwd: Path,
        say: Callable[[str], None],
        changed: Callable[[Mapping[str, int]], None],
        hurry: threading.Event,
    ) -> None:
        self.servers = servers
        self._logs, self._cwd = logs, cwd
        self._say, self._changed = say, changed
        self._hurry = hurry
        self._kept_servers: list[_Kept] = []
        self._kept_programs: list[_Kept] = []
        self._guardian = Guardian()
        self._unpublished = False

    def start_servers(self) -> None:
        """Start the servers; returns when they take writes. Raises what their `start` raises."""
        for server in self.servers:
            launch = partial(_start_server, server)
            kept = _Kept(server.name, launch, lambda: True, 0.0, 0.0, launch(), ready=True)
            self._kept_servers.append(kept)
            self._note_start(kept)

    def start_programs(self, programs: Sequence[Program], should_stop: threading.Event) -> None:
        """Start the programs together and return when all are ready, or when asked to stop.

        Raises Unavailable, with its last words, when one of them dies again and again or takes too long.
        """
        for program in programs:
            launch = partial(self._start_program, program)
            limits = (program.grace_s, program.ready_timeout_s)
            kept = _Kept(program.name, launch, program.ready, *limits, launch())
            kept.group, kept.may_end = program.group, program.may_end
            self._kept_programs.append(kept)
            self._note_start(kept)
        began = time.monotonic()
        while not all(kept.ready for kept in self._kept_programs) and not should_stop.wait(0.05):
            self.step()
            for kept in self._kept_programs:
                _raise_if_hopeless(kept, time.monotonic() - began)

    def watch(self, should_stop: threading.Event) -> None:
        """Restart what dies, until asked to stop or all programs have ended for good.

        Raises Misconfigured, with its last words, when one of them has no right any more to do its work.
        """
        while not should_stop.wait(0.2) and not self.done:
            self.step()
        for kept in self._kept_programs:
            _raise_if_refused(kept)

    @property
    def done(self) -> bool:
        """Whether there were programs and all of them have ended for good."""
        return bool(self._kept_programs) and all(kept.done for kept in self._kept_programs)

    def step(self) -> None:
        """Look at each process once: note its death, restart it when it is time, ask if it is ready."""
        if self._unpublished:
            self._publish()
        for kept in (*self._kept_servers, *self._kept_programs):
            now = time.monotonic()
            if kept.start_at is not None:
                if now >= kept.start_at:
                    self._launch_again(kept)
            elif not kept.child.alive:
                if kept.done:
                    kept.ready = True
                else:
                    self._note_death(kept, now)
            elif not kept.ready and now - kept.asked_at >= READY_CHECK_S:
                kept.asked_at = now
                kept.ready = kept.is_ready()

    def stop(self) -> None:
        """Stop everything in the reverse order of its start, the servers last."""
        for _, group in groupby(reversed(self._kept_programs), key=lambda kept: kept.group or kept.name):
            self._stop_programs(list(group))
        for server in reversed(self.servers):
            server.stop(grace_s=2.0 if self._hurry.is_set() else 30.0)
            if server.process is not None:
                self._guardian.forget(server.process.pid)
        self._guardian.dismiss()

    def _start_program(self, program: Program) -> Child:
        log = self._logs / f"{program.name}.log"
        return Child(program.name, program.argv, log=log, env=program.env, cwd=self._cwd)

    def _stop_programs(self, together: Sequence[_Kept]) -> None:
        asked_at = time.monotonic()
        for kept in together:
            kept.child.terminate()
        for kept in together:
            while kept.child.wait(0.1) is None:
                if self._hurry.is_set() or time.monotonic() > asked_at + kept.grace_s:
                    self._say(f"{kept.name} is killed: it did not end by itself")
                    kept.child.kill()
            self._guardian.forget(kept.child.pid)

    def _launch_again(self, kept: _Kept) -> None:
        try:
            kept.child = kept.launch()
        except (ServiceError, OSError) as error:
            self._schedule(kept, time.monotonic(), f"{kept.name} can't be started: {error}")
        else:
            self._note_start(kept)

    def _note_start(self, kept: _Kept) -> None:
        self._guardian.remember(kept.child.pid)
        kept.started_at, kept.start_at = time.monotonic(), None
        self._publish()

    def _publish(self) -> None:
        """Tell which processes run; a full disk is no reason to end them."""
        running = (*self._kept_servers, *self._kept_programs)
        try:
            self._changed({other.name: other.child.pid for other in running if other.start_at is None})
        except OSError as error:
            if not self._unpublished:
                self._say(f"which processes run can't be noted: {error.strerror}; trying again")
            self._unpublished = True
        else:
            self._unpublished = False

    def _note_death(self, kept: _Kept, now: float) -> None:
        self._guardian.forget(kept.child.pid)
        if not kept.ready:
            kept.deaths_before_ready += 1
        if now - kept.started_at > HEALTHY_AFTER_S:
            kept.delay_s = FIRST_DELAY_S
        self._schedule(kept, now, f"{kept.name} ended ({_describe(kept.child.poll())})")

    def _schedule(self, kept: _Kept, now: float, what: str) -> None:
        self._say(f"{what}; starting it again in {kept.delay_s:.0f} s")
        kept.start_at, kept.ready = now + kept.delay_s, False
        kept.delay_s = min(kept.delay_s * 2, LONGEST_DELAY_S)


def _start_server(server: EmbeddedServer) -> Child:
    server.start()
    if server.process is None:
        raise Unavailable(f"{server.name} was stopped as it started")
    return server.process


def _raise_if_refused(kept: _Kept) -> None:
    if kept.child.poll() == os.EX_NOPERM:
        raise NotInvited(f"{kept.name} is let in no more; {kept.last_words()}")


def _raise_if_hopeless(kept: _Kept, waited_s: float) -> None:
    _raise_if_refused(kept)
    if kept.deaths_before_ready and kept.child.poll() == os.EX_CONFIG:
        raise Misconfigured(f"{kept.name} can't start; {kept.last_words()}")
    if kept.deaths_before_ready >= DEATHS_BEFORE_READY:
        raise Unavailable(f"{kept.name} keeps ending as it starts; {kept.last_words()}")
    if not kept.ready and waited_s > kept.ready_timeout_s:
        raise Unavailable(f"{kept.name} is not ready after {waited_s:.0f} s; {kept.last_words()}")


def _describe(status: int | None) -> str:
    if status is None:
        return "still running"
    return f"exit status {status}" if status >= 0 else f"signal {-status}"
