"""Kill what a supervisor leaves behind when it is killed itself.

Run as a script: `python -I -S guardian_process.py`, with a pipe from the supervisor as standard input. Lines
`+GROUP` and `-GROUP` name the process groups to remember and to forget. At the end of the input, which comes
when the supervisor closes the pipe or dies of anything, the groups still remembered are killed. (The kernel
kills each direct child itself, see `tether`; the children's children are killed here.) Standard library only.
"""

import os
import signal
import sys
from contextlib import suppress


def watch() -> set[int]:
    """Read until the supervisor is gone; returns the groups that it had not closed."""
    groups: set[int] = set()
    for line in sys.stdin:
        with suppress(ValueError):
            group = int(line[1:])
            if line[0] == "+":
                groups.add(group)
            else:
                groups.discard(group)
    return groups


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for left in watch():
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(left, signal.SIGKILL)
