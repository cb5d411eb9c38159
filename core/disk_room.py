"""How full a disk is."""

from typing import NamedTuple


class DiskRoom(NamedTuple):
    """Bytes of a disk in all, and those that are free."""

    size: int
    free: int
