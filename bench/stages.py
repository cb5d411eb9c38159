"""How busy each stage of the scoring process was, by the metrics that it leaves in a file now and then."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from prometheus_client.parser import text_string_to_metric_families

from bench.process_tree import process_tree

FRESH_S = 15.0
Shares = dict[str, float]
"""By stage, of a run's seconds. The thread that scores is in the engine (`infer`), waits for pixels (`wait`),
or is at what is left (`record`: claims, closing, live work, writes that are late). Beside it threads `read`,
`decode` and `write`; theirs are added up."""


class StageClock:
    """The seconds of each stage, of the one scoring process below a worker.

    Parameters
    ----------
    worker : the worker's process id. Raises RuntimeError where no process below it scores.
    """

    def __init__(self, worker: int) -> None:
        self._file = next(filter(None, map(_metrics_file, process_tree(worker))), None)
        if self._file is None:
            raise RuntimeError(f"no process of worker {worker} scores; expected one with a seat")
        self._began = self._seconds()

    def shares(self, seconds: float) -> Shares:
        """Of the time since it was made, of which `seconds` were a run that has ended just now."""
        now = self._seconds()
        spent = {stage: (now[stage] - self._began.get(stage, 0.0)) / seconds for stage in now}
        record = 1 - spent.get("infer", 0.0) - spent.get("wait", 0.0)
        return {stage: round(share, 3) for stage, share in (spent | {"record": record}).items()}

    def _seconds(self) -> Shares:
        """As they are now: waits until the file is written anew."""
        assert self._file is not None
        asked, deadline = time.time(), time.monotonic() + FRESH_S
        while self._file.stat().st_mtime <= asked:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self._file} was not written within {FRESH_S:.0f} s")
            time.sleep(0.1)
        families = text_string_to_metric_families(self._file.read_text())
        return {
            sample.labels["stage"]: sample.value
            for family in families
            for sample in family.samples
            if sample.name == "streaks_stage_seconds_total"
        }


def limit(shares: Shares) -> str:
    """The stage that the others wait for."""
    most = max(("infer", "wait", "record"), key=lambda stage: shares.get(stage, 0.0))
    return most if most != "wait" else max(("read", "decode"), key=lambda stage: shares.get(stage, 0.0))


def typical(runs: Sequence[Shares]) -> Shares:
    """The median of each stage's share over runs."""
    stages = sorted({stage for run in runs for stage in run})
    return {stage: median(run.get(stage, 0.0) for run in runs) for stage in stages}


def told(shares: Shares) -> str:
    """In words, the busiest first."""
    ordered = sorted(shares.items(), key=lambda one: -one[1])
    return ", ".join(f"{stage} {share:.1%}" for stage, share in ordered) + f"; the limit is {limit(shares)}"


def _metrics_file(pid: int) -> Path | None:
    """Where a process that scores leaves its metrics: beside its pulse, which its seat names."""
    environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    seat = next((one for one in environment if one.startswith(b"STREAKS_SEAT=")), None)
    return None if seat is None else Path(json.loads(seat.partition(b"=")[2])["pulse"]).with_name("metrics")
