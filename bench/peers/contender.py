"""Who scores the same cutouts: the service itself, and programs of others, each told when to begin."""

import json
import os
import subprocess
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.backlog import streak_ids
from bench.local_service import LocalService
from bench.peers.told import CONFIG_VARIABLE, Told
from bench.process_tree import continue_tree, idle_share, peak_mib, process_tree, stop_tree
from bench.scored_night import night_on_record, scored
from bench.stages import Shares, told, typical

Scores = NDArray[np.float64]
FIRST_DAY = 700
SERVERS = ("mongo", "redis")
IDLE_S = 5.0
WAKING_S = 8.0  # a worker tells every five seconds that it is there


@dataclass(frozen=True)
class Ran:
    """One run: the seconds that count, those before the first cutout, and what it put on record.

    `scores` are (files, networks), in the order of the files.
    """

    seconds: float
    before_s: float
    scores: Scores


class Contender(Protocol):
    """Scores all files, again and again."""

    settings: dict[str, object]

    def run(self, n: int) -> Ran:
        """Score the files of run `n`; raises RuntimeError when it can't."""

    def peak_mib(self) -> int:
        """Peak resident memory of its processes so far, added up."""

    def idle_share(self) -> float:
        """What it takes of a core while it has nothing to do."""

    def rest(self) -> None:
        """Take nothing of the processor until `wake`: while they wait, some look for work all the time."""

    def wake(self) -> None:
        """Be as before."""

    def close(self) -> None:
        """End what belongs to it."""


class Ours:
    """The service: a night on record, planned and scored."""

    def __init__(
        self, local: LocalService, files: list[bytes], versions: tuple[str, ...], *, packed: bool
    ) -> None:
        self._local, self._files, self._versions, self._packed = local, files, versions, packed
        self.settings: dict[str, object] = {"reads": "packs" if packed else "files"}
        self._stages: list[Shares] = []

    def run(self, n: int) -> Ran:
        """Score a night of the same pictures under other ids."""
        days = FIRST_DAY + 2 * n + self._packed
        night = night_on_record(self._local, self._files, days=days, packed=self._packed)
        found = scored(self._local, night, len(self._files), versions=self._versions)
        self._stages.append(found.stages)
        self.settings["stages"] = told(typical(self._stages))
        outcomes = self._local.outcomes(*self._versions)
        rows = [
            [outcomes[cutout, version][0] for version in self._versions]
            for cutout in streak_ids(len(self._files), days=days)
        ]
        return Ran(found.seconds, found.waited_s, np.array(rows, np.float64))

    def peak_mib(self) -> int:
        """Of the service's programs, without the servers that others use as well."""
        return sum(peak_mib(pid) for root in self._roots() for pid in process_tree(root))

    def idle_share(self) -> float:
        """Of the service's programs."""
        return idle_share(self._roots(), for_s=IDLE_S)

    def rest(self) -> None:
        """Stop the service's programs; the servers, which others use, go on."""
        for root in self._roots():
            stop_tree(root)

    def wake(self) -> None:
        """Continue them, and give each the time to find its servers and to tell that it is there."""
        for root in self._roots():
            continue_tree(root)
        time.sleep(WAKING_S)

    def close(self) -> None:
        """Leave the service, which is not its own, running."""
        for root in self._roots():
            continue_tree(root)

    def _roots(self) -> list[int]:
        programs = self._local.programs()
        return [pid for name, pid in programs.items() if not name.startswith(SERVERS)]


@dataclass
class Peer:
    """A program of `bench.peers`, in an environment of its own, which writes into collections."""

    module: str
    python: Path
    told: Told
    settings: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._process = subprocess.Popen(
            [str(self.python), "-m", f"bench.peers.{self.module}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ
            | {CONFIG_VARIABLE: json.dumps(asdict(self.told)), "TF_CPP_MIN_LOG_LEVEL": "2"}
            | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"},  # nothing told, nothing kept
        )
        self._database = self.told.database()
        self._peak_mib = 0
        self.settings = self._read()

    def run(self, n: int) -> Ran:
        """Have it score the files into a collection of this run."""
        name = f"{self.module}-{n}"
        assert self._process.stdin is not None
        self._process.stdin.write(f"{name}\n")
        self._process.stdin.flush()
        answer = self._read()
        self._peak_mib = max(self._peak_mib, sum(map(peak_mib, process_tree(self._process.pid))))
        found = {document["_id"]: document for document in self._database[name].find()}
        rows = [[found[path.name][key] for key in self.told.fields] for path in self.told.names()]
        return Ran(answer["seconds"], answer["took"] - answer["seconds"], np.array(rows, np.float64))

    def peak_mib(self) -> int:
        """Of its processes as they were at the end of a run."""
        return self._peak_mib

    def idle_share(self) -> float:
        """Of its processes."""
        return idle_share([self._process.pid], for_s=IDLE_S)

    def rest(self) -> None:
        """Stop its processes."""
        stop_tree(self._process.pid)

    def wake(self) -> None:
        """Continue them."""
        continue_tree(self._process.pid)

    def close(self) -> None:
        """Tell it to end, and wait for it."""
        self.wake()
        self._process.communicate(timeout=120)

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"bench.peers.{self.module} ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer
