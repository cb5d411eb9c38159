"""A progress bar on standard error: on a terminal one line, elsewhere a line now and then."""

import os
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

_BAR = 24
_PLAIN_EVERY_S = 10.0


class ProgressBar:
    """How far a job is. Shows nothing where it is not `wanted`."""

    def __init__(self, *, wanted: bool = True, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._wanted = wanted
        self._over = self._stream.isatty()
        self._shown = ""
        self._shown_at = float("-inf")

    def show(self, job: Mapping[str, Any], *, last: bool = False) -> None:
        """Show the progress in place of the one before; `last` ends the line."""
        if not self._wanted:
            return
        now, text = time.monotonic(), told(job)
        if self._over:
            width = self._width()
            self._stream.write(f"\r{text[:width]:{min(len(self._shown), width)}}" + ("\n" if last else ""))
        elif last or (text != self._shown and now - self._shown_at >= _PLAIN_EVERY_S):
            self._stream.write(f"{text}\n")
            self._shown_at = now
        self._stream.flush()
        self._shown = text

    def _width(self) -> int:
        """What fits into one line of the terminal: one column more, and it would scroll."""
        try:
            columns = os.get_terminal_size(self._stream.fileno()).columns
        except OSError:
            columns = 0
        return (columns or 80) - 1


def told(job: Mapping[str, Any]) -> str:
    """`job 1a2b [#####…     ] 120 of 224, 3 rejected, 48.0/s, 2 s left`."""
    done, items = job["scored"] + job["rejected"], job["items"]
    filled = _BAR * done // items if items else 0
    words = [f"job {job['id']} [{'#' * filled:{_BAR}}] {done:,} of {items:,}"]
    if job["rejected"]:
        words.append(f"{job['rejected']:,} rejected")
    if job["rate"]:
        words.append(f"{job['rate']:.1f}/s")
    if job["seconds_left"]:
        words.append(f"{job['seconds_left']:.0f} s left")
    if job["state"] not in ("running", "finished"):
        words.append(str(job["state"]))
    return ", ".join(words)
