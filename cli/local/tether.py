"""Become another program that dies with its parent, even when the parent is killed with SIGKILL.

Run as a script: `python -I -S tether.py PARENT_PID PROGRAM ARGUMENTS...`. Standard library only. A program of
its own and not a `preexec_fn`, which may deadlock (and warns, from Python 3.12) where the parent has threads.
"""

import os
import sys

PR_SET_PDEATHSIG = 1
SIGKILL = 9


def tether(parent: int) -> bool:
    """Ask the kernel to kill this process when `parent` ends; False when that parent is gone already."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
    return os.getppid() == parent


if __name__ == "__main__":
    if not tether(int(sys.argv[1])):
        sys.exit("the parent ended before its child began")
    try:
        os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606  the arguments are a fixed list, and no shell is wanted
    except OSError as error:
        sys.exit(f"{sys.argv[2]}: {error.strerror}")
