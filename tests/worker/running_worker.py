"""`python -m worker` as a process of its own."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

PATIENCE_S = 150.0
Until = Callable[[Callable[[], object]], None]


@contextmanager
def running_worker(
    *options: str, env: Mapping[str, str]
) -> Iterator[tuple["subprocess.Popen[bytes]", Until]]:
    """A worker, and a wait that fails when the worker ends or patience does."""
    process = subprocess.Popen([sys.executable, "-m", "worker", *options], env=env)

    def until(what: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not what():
            assert process.poll() is None, f"the worker ended with {process.returncode}"
            assert time.monotonic() < deadline, "waited too long"
            time.sleep(0.02)

    try:
        yield process, until
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
