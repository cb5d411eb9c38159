"""What the scoring process tells the Celery process beside it, every second: what it is at."""

import json
import os
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

EVERY_S = 1.0


@dataclass(frozen=True)
class Pulse:
    """One beat.

    Attributes
    ----------
    n : counts up; a beat that does not follow is a process that does not run.
    doing : `start`, `load`, `score` or nothing.
    for_s : how long it has been at that, in seconds.
    ready : it takes work.
    unwell : why it takes none, or should not; empty when it is well.
    """

    pid: int
    n: int
    doing: str
    for_s: float
    ready: bool = False
    unwell: str = ""

    @classmethod
    def read(cls, file: Path) -> Self | None:
        """The last beat; None before the first."""
        try:
            return cls(**json.loads(file.read_text("utf-8")))
        except FileNotFoundError:
            return None


class Heart:
    """Beats in a thread of its own as long as the process runs.

    Attributes
    ----------
    doing : what the process is at, and for how many seconds.
    """

    def __init__(self, file: Path, *, doing: Callable[[], tuple[str, float]]) -> None:
        self._file = file
        self._pulse = Pulse(os.getpid(), 0, "start", 0.0)
        self._stop = threading.Event()
        self._beating = threading.Lock()
        self._thread = threading.Thread(target=self._go_on, name="pulse", daemon=True)
        self.doing = doing
        self.ready = False
        self.unwell = ""

    def start(self) -> None:
        """Beat from now on."""
        self.beat()
        self._thread.start()

    def stop(self) -> None:
        """Beat no more, and leave nothing that could be taken for a process that does not answer."""
        self._stop.set()
        self._thread.join()
        self._file.unlink(missing_ok=True)

    def beat(self) -> None:
        """Beat once, now."""
        with self._beating:
            what, for_s = self.doing()
            self._pulse = replace(
                self._pulse,
                n=self._pulse.n + 1,
                doing=what,
                for_s=for_s,
                ready=self.ready,
                unwell=self.unwell,
            )
            fresh = self._file.with_name(f"{self._file.name}.{os.getpid()}")
            fresh.write_text(json.dumps(asdict(self._pulse)), "utf-8")
            fresh.replace(self._file)

    def _go_on(self) -> None:
        while not self._stop.wait(EVERY_S):
            self.beat()
