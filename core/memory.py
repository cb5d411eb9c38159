"""How a process of this service asks its C library for memory."""

import ctypes
import sys

_M_ARENA_MAX = -8  # <malloc.h>
ARENAS = 1


def bound_arenas() -> None:
    """Have glibc keep one heap for all threads, and not one for each.

    A thread keeps what it has freed in a heap of its own: with some fifty threads, each of which once held a
    large answer, a process grows for hours though it holds no more than before. Harmless elsewhere. For the
    start of a process, before it has threads.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(_M_ARENA_MAX, ARENAS)
