"""How a process of this service asks its C library for memory."""

import ctypes
import gc
import sys

_M_ARENA_MAX = -8  # <malloc.h>
ARENAS = 1
THRESHOLDS = (2000, 3, 1)
"""So old objects are looked through after some 16,000 new ones. Young ones are those of requests under way:
to look at them each 700, the default, finds them all in use when there are a hundred."""


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


def settle() -> None:
    """Have the collector of cycles look no more at what is there now, and sooner at what gets old since.

    By default it looks through old objects once a quarter of them are new, and not before 70,000 are: with
    all that is imported the cycles of thousands of requests stay until then. For the end of a start.
    """
    gc.collect()
    gc.freeze()
    gc.collect()  # after which it counts none as old
    gc.set_threshold(*THRESHOLDS)
