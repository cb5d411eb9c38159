"""Replaces a scoring process that was stopped, that hangs, or that scores wrongly; and one that trains."""

import logging
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from core.settings import Watchdog as Limits
from worker.metrics import watch_metrics
from worker.pulse import EVERY_S, Pulse

_log = logging.getLogger(__name__)
IN_A_ROW = 3
"""So many processes without a right canary between them, and the worker ends."""


class Watchdog:
    """Looks at the pulse of the pool's process from beside it. Celery starts another when it is killed.

    Silence is counted in looks and not by a clock, so that a machine that slept as a whole kills nobody.

    Parameters
    ----------
    pulse : the file that the process writes.
    before_kill : called with the number and the fault of each process that is about to be killed.
    give_up : called when replacing does not help.
    of : what the process does.

    Attributes
    ----------
    replaced : how many processes were killed.
    why : the last one's fault; empty where there was none.
    gave_up : replacing did not help.
    """

    def __init__(
        self,
        pulse: Path,
        limits: Limits,
        *,
        before_kill: Callable[[int, str], None],
        give_up: Callable[[], None],
        of: str = "scoring",
    ) -> None:
        self._of = of
        self._file, self._limits = pulse, limits
        self._before_kill, self._give_up = before_kill, give_up
        self._last: Pulse | None = None
        self._silent = 0
        self._in_a_row = 0
        self._killed: int | None = None
        self.replaced = 0
        self.why = ""
        self.gave_up = False

    def run(self) -> None:
        """Look as long as this process lives."""
        while True:
            time.sleep(EVERY_S)
            self.look()

    def look(self) -> None:
        """Look once."""
        pulse = Pulse.read(self._file)
        if pulse is None or pulse.pid == self._killed:
            return
        same = self._last is not None and (self._last.pid, self._last.n) == (pulse.pid, pulse.n)
        self._silent = self._silent + 1 if same else 0
        self._last = pulse
        fault = self.fault
        if fault:
            self._replace(pulse, fault)
        elif pulse.ready:
            self._in_a_row = 0

    @property
    def unready(self) -> str:
        """Why the process, as it was seen last, takes no work; empty when it does."""
        last = self._last
        if last is None or last.pid == self._killed:
            return f"the {self._of} process is starting{', after: ' + self.why if self.why else ''}"
        return self.fault or ("" if last.ready else f"the {self._of} process is at {last.doing or 'no work'}")

    @property
    def fault(self) -> str:
        """What is wrong with the process, as it was seen last; empty when it is well."""
        pulse, limits = self._last, self._limits
        if pulse is None:
            return ""
        loads = pulse.doing in ("start", "load")
        silent_s = self._silent * EVERY_S
        if silent_s > (limits.load_s if pulse.doing == "start" else limits.silent_s):
            return f"the {self._of} process has not run for {silent_s:.0f} s"
        if pulse.doing and pulse.for_s > (limits.load_s if loads else limits.answer_s):
            return f"the engine has been at one {pulse.doing} for {pulse.for_s:.0f} s"
        return pulse.unwell

    def _replace(self, pulse: Pulse, fault: str) -> None:
        self._killed = pulse.pid
        if not _is_child(pulse.pid):  # it has ended by itself, and Celery starts another
            return
        self.replaced, self.why = self.replaced + 1, fault
        self._in_a_row += 1
        _log.error(
            "%s process replaced: %s", self._of, fault, extra={"pid": pulse.pid, "replaced": self.replaced}
        )
        self._before_kill(self.replaced, fault)
        os.kill(pulse.pid, signal.SIGKILL)  # which ends a stopped process too
        if self._in_a_row >= IN_A_ROW:
            _log.critical("replacing the %s process does not help; this worker ends: %s", self._of, fault)
            self.gave_up = True
            self._give_up()


def _is_child(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii")
    except OSError:
        return False
    return int(stat.rpartition(")")[2].split()[1]) == os.getpid()


def worker_metrics(watchdog: Watchdog, file: Path) -> bytes:
    """Those of the scoring process, as it wrote them last, and what the watchdog counts."""
    own = watch_metrics(ready=not watchdog.unready, replaced=watchdog.replaced)
    return (file.read_bytes() if file.exists() else b"") + own
