"""A small network of network namespaces: a hub, hosts on links of their own, which are cut and mended.

Traffic stays within them. They are removed with all that runs in them, also after a failure; what a run that
was killed left behind, the next one removes. Needs root and iproute2.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

HUB = "hub"
ADDRESS = "10.231.0.1"
"""The hub's, by which all hosts know it."""
NAME = re.compile(r"streaks-(\d+)-\w+")
GONE_S = 10.0


class Network:
    """The namespaces of one process: `hub`, and one for each host.

    Parameters
    ----------
    hosts : their names, a letter each.
    owner : the process that makes and removes them; for another one, which only uses them.
    """

    def __init__(self, hosts: Sequence[str], *, owner: int | None = None) -> None:
        self._hosts, self._owner = hosts, owner or os.getpid()

    def __enter__(self) -> Self:
        remove_leftovers()
        try:
            self._make()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def within(self, place: str, command: Sequence[str]) -> list[str]:
        """The command line that runs a command on the hub or on a host."""
        return ["ip", "netns", "exec", self._name(place), *command]

    def cut(self, host: str) -> None:
        """Cut a host off: what it sends is lost, and nobody tells it."""
        _ip("-n", self._name(HUB), "link", "set", self._link(host), "down")

    def mend(self, host: str) -> None:
        """Connect a host again."""
        _ip("-n", self._name(HUB), "link", "set", self._link(host), "up")

    def _make(self) -> None:
        for place in (HUB, *self._hosts):
            _ip("netns", "add", self._name(place))
            _ip("-n", self._name(place), "link", "set", "lo", "up")
        _ip("-n", self._name(HUB), "address", "add", f"{ADDRESS}/32", "dev", "lo")
        for n, host in enumerate(self._hosts, 1):
            hub, here, link = self._name(HUB), self._name(host), self._link(host)
            _ip("-n", hub, "link", "add", link, "type", "veth", "peer", "name", "out", "netns", here)
            for name, end, last in ((hub, link, 1), (here, "out", 2)):
                _ip("-n", name, "address", "add", f"10.231.{n}.{last}/30", "dev", end)
                _ip("-n", name, "link", "set", end, "up")
            _ip("-n", here, "route", "add", f"{ADDRESS}/32", "via", f"10.231.{n}.1")

    def _remove(self) -> None:
        for place in (*self._hosts, HUB):
            _remove(self._name(place))

    def _name(self, place: str) -> str:
        return f"streaks-{self._owner}-{place}"

    def _link(self, host: str) -> str:
        return f"to-{host}"


def why_not() -> str | None:
    """Why no namespaces can be made here; None when they can."""
    if shutil.which("ip") is None:
        return "there is no program ip (apt-get install iproute2)"
    try:
        with Network(()):
            return None
    except RuntimeError as error:
        return f"no network namespaces can be made here: {error}"


def remove_leftovers() -> None:
    """Remove the namespaces of runs whose process is no more."""
    for line in _ip("netns", "list").splitlines():
        name = line.partition(" ")[0]
        if (found := NAME.fullmatch(name)) and not _runs(int(found[1])):
            _remove(name)


def _remove(name: str) -> None:
    """End what runs in a namespace and remove it, its links with it; harmless when there is none."""
    deadline = time.monotonic() + GONE_S
    with suppress(RuntimeError):
        while (pids := _ip("netns", "pids", name).split()) and time.monotonic() < deadline:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            time.sleep(0.05)
        _ip("netns", "delete", name)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _ip(*words: str) -> str:
    """What `ip` says; raises RuntimeError with its complaint."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout
