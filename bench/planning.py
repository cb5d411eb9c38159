"""`python -m bench.planning`: a rescoring of a million cutouts, from the request to the last shard on record.

The cutouts are written straight to the record. What is measured is the answer; the planner, while the worker
stands still; and then, when a worker whose engine only waits has scored them all, the peak memory of the API,
the worker and the sweeper, which must not grow with the job.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.backlog import streak_ids
from bench.local_service import LocalService, local_service
from bench.process_tree import peak_mib, process_tree
from bench.verdict import conclude
from bench.waiting_program import waiting_program
from cli.connection import local_client
from cli.local.programs import Place, service_programs
from cli.local.supervisor import Program
from core.job import JobState
from core.service_secrets import Secrets
from cutouts.simulator.names import day_of
from storage.record import Record

PLANNED_PER_S = 20_000
ANSWER_S = 1.0
MEMORY_GROWTH = 1.2
AT_ONCE = 10_000
CONTENT = "0" * 64
MEASURED = ("api", "worker", "sweeper")
TIMEOUT_S = 900.0


@dataclass(frozen=True)
class Measured:
    """Seconds to the answer, cutouts planned and scored per second, and peak memory in MiB by program."""

    answer_s: float
    planned_per_s: int
    scored_per_s: int
    peak_mib: dict[str, int]


def main() -> int:
    """Plan a small job and a large one; returns 0 when the promises are kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.planning", description=__doc__)
    parser.add_argument("--cutouts", type=int, default=1_000_000)
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    small, large = (_measured(count) for count in (args.small, args.cutouts))
    growth = {name: round(large.peak_mib[name] / small.peak_mib[name], 3) for name in large.peak_mib}
    kept = (
        large.answer_s <= ANSWER_S
        and large.planned_per_s >= PLANNED_PER_S
        and max(growth.values()) <= MEMORY_GROWTH
    )
    return conclude(
        "planning",
        f"{args.cutouts:,} cutouts: accepted in {large.answer_s:.2f} s, planned at "
        f"{large.planned_per_s:,}/s, memory at most {max(growth.values()):.2f} times that of {args.small:,}",
        kept=kept,
        details={"small": asdict(small), "large": asdict(large), "memory, large to small": growth},
        as_json=args.json,
    )


def _measured(count: int) -> Measured:
    with tempfile.TemporaryDirectory(prefix="deep-asteroids-planning-") as scratch:

        def programs(place: Place, secrets: Secrets) -> Sequence[Program]:
            ours = [p for p in service_programs(place, secrets) if p.name in ("api", "sweeper")]
            return [*ours, waiting_program(place, "worker", statements=Path(scratch))]

        with local_service(Path(scratch) / "service", programs=programs) as local:
            return _measured_in(local, count)


def _measured_in(local: LocalService, count: int) -> Measured:
    fill(local.record, count)
    roots = {name: local.service.record.processes[name].pid for name in MEASURED}
    client = local_client(local.service.url, local.service.secrets_file)
    client.models.all()  # logs in
    with _standing_still(roots["worker"]):
        began = time.monotonic()
        job = str(client.jobs.submit_rescoring({})["job"])
        answered = time.monotonic()
        while (found := local.record.jobs.get(job)) is not None and found.state is JobState.PLANNING:
            if time.monotonic() - began > TIMEOUT_S:
                raise TimeoutError(f"job {job} is not planned after {TIMEOUT_S:.0f} s")
            time.sleep(0.05)
        planned = time.monotonic()
    local.wait(job, timeout_s=TIMEOUT_S)
    scored = time.monotonic()
    progress = local.record.shards.progress(job)
    if (progress.items, progress.scored) != (count, count):
        raise RuntimeError(
            f"{progress.items:,} of {count:,} cutouts were planned, {progress.scored:,} scored"
        )
    return Measured(
        answer_s=round(answered - began, 3),
        planned_per_s=round(count / (planned - answered)),
        scored_per_s=round(count / (scored - planned)),
        peak_mib={name: sum(map(peak_mib, process_tree(pid))) for name, pid in roots.items()},
    )


@contextmanager
def _standing_still(root: int) -> Iterator[None]:
    """A process and those below it do nothing while the block runs."""
    stopped = process_tree(root)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


def fill(record: Record, count: int, *, night: str = "20181106") -> None:
    """Cutouts of one content and one night under as many streak ids."""
    cutouts, ids = record.database.get_collection("cutouts"), streak_ids(count, days=day_of(night))
    for start in range(0, count, AT_ONCE):
        some = ids[start : start + AT_ONCE]
        cutouts.insert_many(
            [{"_id": name, "sha256": CONTENT, "night": night} for name in some], ordered=False
        )
    print(f"  {count:,} cutouts on record", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
