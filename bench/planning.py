"""`python -m bench.planning`: a rescoring of a million cutouts, from the request to the last shard on record.

The cutouts are written straight to the record and nobody scores them: what is measured is the answer, the
planner and the memory of the processes, which must not grow with the job.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.local_service import local_service
from bench.process_tree import peak_mib, process_tree
from bench.verdict import conclude
from cli.connection import local_client
from cli.local.programs import Place, service_programs
from cli.local.supervisor import Program
from core.job import JobState
from core.settings import Secrets
from storage.record import Record

PLANNED_PER_S = 20_000
ANSWER_S = 1.0
MEMORY_GROWTH = 1.2
AT_ONCE = 10_000
CONTENT = "0" * 64
WITHOUT = ("worker", "trainer", "flower")
TIMEOUT_S = 900.0


@dataclass(frozen=True)
class Measured:
    """Seconds to the answer, cutouts planned per second, and peak memory in MiB by program."""

    answer_s: float
    planned_per_s: int
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
    with (
        tempfile.TemporaryDirectory(prefix="deep-asteroids-planning-") as scratch,
        local_service(Path(scratch) / "service", programs=_programs) as local,
    ):
        fill(local.record, count)
        client = local_client(local.service.url, local.service.secrets_file)
        client.models()  # logs in
        began = time.monotonic()
        job = str(client.submit_rescoring({})["job"])
        answered = time.monotonic()
        while (found := local.record.jobs.get(job)) is not None and found.state is JobState.PLANNING:
            if time.monotonic() - began > TIMEOUT_S:
                raise TimeoutError(f"job {job} is not planned after {TIMEOUT_S:.0f} s")
            time.sleep(0.05)
        planned = time.monotonic()
        progress = local.record.shards.progress(job)
        if progress.items != count:
            raise RuntimeError(f"{progress.items:,} of {count:,} cutouts were planned")
        return Measured(
            answer_s=round(answered - began, 3),
            planned_per_s=round(count / (planned - answered)),
            peak_mib={
                name: sum(peak_mib(pid) for pid in process_tree(process.pid))
                for name, process in local.service.record.processes.items()
                if name in ("api", "sweeper")
            },
        )


def _programs(place: Place, secrets: Secrets) -> Sequence[Program]:
    return [program for program in service_programs(place, secrets) if program.name not in WITHOUT]


def fill(record: Record, count: int) -> None:
    """Cutouts of one content under as many streak ids."""
    cutouts = record.database.get_collection("cutouts")
    for start in range(0, count, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, count))
        cutouts.insert_many(
            [{"_id": f"strkid{n:016d}_pid{n:012d}", "sha256": CONTENT, "night": "20181106"} for n in numbers],
            ordered=False,
        )
    print(f"  {count:,} cutouts on record", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
