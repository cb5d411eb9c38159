"""Which processes run now, and waiting for what has not happened yet."""

import socket
import time
from collections.abc import Callable
from pathlib import Path


def naming(mark: str | Path) -> list[int]:
    """The ids of the processes whose command line holds this text (zombies have none)."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                command = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if str(mark).encode() in command:
                found.append(int(folder.name))
    return found


def wait_until(happened: Callable[[], object], *, timeout_s: float = 20.0) -> None:
    """Return once it has happened; fails after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.03)


def hosts(*wanted: str) -> list[str]:
    """Those of the addresses that this machine has: many a container has no IPv6."""
    return [host for host in wanted if ":" not in host or _has_ipv6()]


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False
