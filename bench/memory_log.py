"""What memory the processes of a service have, over the time."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Self

from bench.process_tree import process_tree

WINDOW_S = 300.0
FEWEST = 6  # windows, of a short run
KIB_PER_MIB = 1024


@dataclass(frozen=True)
class Memory:
    """One look at one process, in KiB: resident, its share of what it shares, and what no file backs."""

    at_s: float
    resident: int
    share: int
    anonymous: int


@dataclass(frozen=True)
class Growth:
    """How the resident memory of a process went after the warming up, in MiB; windows are medians.

    Attributes
    ----------
    first, highest, last : of the windows.
    grown : how far the highest is above the first, as a fraction.
    anonymous_grown : the same of what no file backs.
    """

    first: float
    highest: float
    last: float
    grown: float
    anonymous_grown: float
    share: float

    @classmethod
    def of(cls, looks: Sequence[Memory]) -> Self:
        """Of all looks at one process, at least one."""
        resident = _windows(looks, lambda look: look.resident)
        anonymous = _windows(looks, lambda look: look.anonymous)
        return cls(
            first=resident[0],
            highest=max(resident),
            last=resident[-1],
            grown=max(resident) / resident[0] - 1,
            anonymous_grown=max(anonymous) / max(anonymous[0], 1e-9) - 1,
            share=_windows(looks, lambda look: look.share)[-1],
        )

    def told(self) -> str:
        """In words."""
        return (
            f"{self.first:.1f} MiB, at most {self.highest:.1f} ({self.grown:+.1%}), last {self.last:.1f};"
            f" without files {self.anonymous_grown:+.1%}; share of it {self.share:.1f}"
        )


class MemoryLog:
    """Looks at all processes below these every few seconds, while the block runs; at each under one name.

    Attributes
    ----------
    looks : by the process: the program's name and, where it has several, what the process is, and its id.
    """

    def __init__(self, programs: Callable[[], Mapping[str, int]], *, every_s: float) -> None:
        self._programs, self._every_s = programs, every_s
        self._began = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="memory", daemon=True)
        self._fault: Exception | None = None
        self.looks: dict[tuple[str, int], list[Memory]] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self._fault is not None and error is None:
            raise RuntimeError("not all of the time was looked at") from self._fault

    @property
    def elapsed_s(self) -> float:
        """Since it was made."""
        return time.monotonic() - self._began

    def growth(self, *, after_s: float) -> dict[str, Growth]:
        """How each process that lived through all the time after `after_s` went."""
        return {
            _told(process): Growth.of([look for look in looks if look.at_s >= after_s])
            for process, looks in self.looks.items()
            if self._lived(looks, after_s)
        }

    def passing(self, *, after_s: float) -> list[str]:
        """Which processes began or ended after `after_s`."""
        return [
            _told(process)
            for process, looks in self.looks.items()
            if looks[-1].at_s >= after_s and not self._lived(looks, after_s)
        ]

    def _lived(self, looks: Sequence[Memory], after_s: float) -> bool:
        last_s = max(seen[-1].at_s for seen in self.looks.values())
        return looks[0].at_s <= after_s and looks[-1].at_s >= last_s

    def _go_on(self) -> None:
        try:
            while not self._stop.wait(self._every_s):
                self._look()
        except Exception as fault:  # noqa: BLE001  raised again at the end
            self._fault = fault

    def _look(self) -> None:
        at_s = self.elapsed_s
        seen: set[int] = set()
        for name, pid in self._programs().items():
            for process in _living(pid):
                if process in seen:  # by a program that is below another
                    continue
                seen.add(process)
                try:
                    key = (name if process == pid else f"{name}: {_role(process)}", process)
                    self.looks.setdefault(key, []).append(_memory(process, at_s))
                except (OSError, IndexError, KeyError):  # it has ended meanwhile
                    continue


def _living(pid: int) -> list[int]:
    try:
        return process_tree(pid)
    except OSError:
        return []


def _told(process: tuple[str, int]) -> str:
    return f"{process[0]} [{process[1]}]"


def _role(pid: int) -> str:
    """What a process below a program is."""
    words = Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace")
    for mark, role in (("_tracker import main", "tracker"), ("spawn_main", "child"), ("fork", "fork")):
        if mark in words:
            return role
    return words.split("\0")[0].rpartition("/")[2] or "fork"


def _memory(pid: int, at_s: float) -> Memory:
    lines = (line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    kib = {words[0].rstrip(":"): int(words[1]) for words in lines}
    return Memory(at_s, kib["Rss"], kib["Pss"], kib["Anonymous"])


def _windows(looks: Sequence[Memory], value: Callable[[Memory], int]) -> list[float]:
    """Medians of five minutes each (less in a short run) in MiB; a rest belongs to the window before it."""
    began_s, span_s = looks[0].at_s, looks[-1].at_s - looks[0].at_s
    window_s = max(1.0, min(WINDOW_S, span_s / FEWEST))
    count = max(1, int(span_s // window_s))
    windows: list[list[int]] = [[] for _ in range(count)]
    for look in looks:
        windows[min(count - 1, int((look.at_s - began_s) // window_s))].append(value(look))
    return [median(window) / KIB_PER_MIB for window in windows if window]
