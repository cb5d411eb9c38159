"""The engine alone, in a process of its own that is told when to score."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

QUIET = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"}


@dataclass(frozen=True)
class Bare:
    """Seconds that a run of the engine alone took, and milliseconds of CPU per cutout."""

    seconds: float
    cpu_ms: float


class BareEngine:
    """`bench.bare_engine`, which waits while something else runs.

    Parameters
    ----------
    engine : as the setting `scoring.engine` has it.

    Attributes
    ----------
    scores : the file in which the scores of its last run are, (rows, versions in their order).
    """

    def __init__(self, bundles: Path, pixels: Path, batch: int, *, engine: str = "auto") -> None:
        self.scores = pixels.with_name(f"scores-{engine}.npy")
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "bench.bare_engine",
                str(bundles),
                str(pixels),
                str(batch),
                str(self.scores),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=QUIET | os.environ | {"DA_SCORING__ENGINE": engine},
        )
        self.peak_mib = 0
        self.name = str(self._read()["engine"])

    def run(self, way: str, rows: int) -> Bare:
        """Score the first rows, by "engine" or by "predict"."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{way} 0 {rows}\n")
        self._process.stdin.flush()
        answer = self._read()
        self.peak_mib = int(str(answer["peak_mib"]))
        return Bare(float(str(answer["seconds"])), 1000 * float(str(answer["cpu_s"])) / rows)

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _read(self) -> dict[str, object]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the bare engine ended with {self._process.wait()}")
        answer: dict[str, object] = json.loads(line)
        return answer
