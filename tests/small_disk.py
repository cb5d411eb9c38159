"""A small disk for a test, which is skipped where it can't have one."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from bench import small_disk
from core.errors import Misconfigured

fill = small_disk.fill


@contextmanager
def disk_or_skip(folder: Path, *, kib: int) -> Iterator[Path]:
    """`bench.small_disk`, or the end of the test with the reason why there is none."""
    with ExitStack() as stack:
        try:
            disk = stack.enter_context(small_disk.small_disk(folder, kib=kib))
        except Misconfigured as error:
            pytest.skip(str(error))
        yield disk
