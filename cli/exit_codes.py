"""What the exit status of ./streaks means. Scripts rely on these numbers."""

from enum import IntEnum


class Exit(IntEnum):
    """The five ways in which a verb ends."""

    OK = 0
    FAILED = 1
    USAGE = 2
    REJECTIONS = 3  # finished, and some cutouts got a rejection instead of a score
    INTERRUPTED = 130
