"""A command that runs in a terminal of its own, and what it has written over on its one line."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CLEARED = "\r"


@dataclass(frozen=True)
class Frame:
    """What stood on the line from one moment on, in seconds since the command was started."""

    at_s: float
    text: str


class WatchedTerminal:
    """Starts a command on a terminal of so many columns, and reads what it writes until it ends."""

    def __init__(self, argv: Sequence[str], *, env: Mapping[str, str], columns: int) -> None:
        self.columns = columns
        self._began = time.monotonic()
        self._chunks: list[tuple[float, str]] = []
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = subprocess.Popen(argv, env=env, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        self._reading = threading.Thread(target=self._read, args=[ours], name="terminal", daemon=True)
        self._reading.start()

    def seconds(self) -> float:
        """Since the command was started."""
        return time.monotonic() - self._began

    def wait(self, timeout_s: float) -> int:
        """The exit status, once it has ended and all that it wrote has been read."""
        status = self.process.wait(timeout_s)
        self._reading.join(timeout_s)
        return status

    def frames(self) -> list[Frame]:
        """What stood on the line, one after the other, until the line ended; see `frames_of`."""
        return frames_of(self._chunks)

    def _read(self, terminal: int) -> None:
        try:
            while data := os.read(terminal, 65536):
                self._chunks.append((self.seconds(), data.decode(errors="replace")))
        except OSError:  # how Linux says that nobody writes to it any more
            pass
        finally:
            os.close(terminal)


def frames_of(chunks: Sequence[tuple[float, str]]) -> list[Frame]:
    """The texts that were written over with a carriage return, up to the first line that ended.

    What is left of a longer text before is blanked by spaces, which do not count.
    """
    frames: list[Frame] = []
    for at_s, chunk in chunks:
        line, ended, _ = chunk.partition("\n")
        frames += [Frame(at_s, text.rstrip(" ")) for text in line.split(CLEARED) if text.strip()]
        if ended:
            break
    return frames
