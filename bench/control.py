"""`python -m bench.control`: what the control plane does when the networks cost nothing.

A backlog is planned and paused; then it goes on, and is dispatched, claimed, written and closed by real
Celery workers on real servers, with journaled writes, two versions, and an engine and a reader that only
pretend. Once for candidates (outcomes only) and once for production (the cutouts' fields too).
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.local_service import LocalService, local_service
from bench.planning import fill
from bench.verdict import conclude
from cli.local.programs import Place, service_programs
from cli.local.supervisor import Program
from core.job import JobState
from core.settings import Secrets
from tasks.submit_rescore import RescoreSubmitter, Rescoring
from tests.record import card

CANDIDATE_PER_S = 20_000
PRODUCTION_PER_S = 8_000
CANDIDATES = ("rb@9001", "sl@9001")
TIMEOUT_S = 600.0


def main() -> int:
    """Run both backlogs; returns 0 when the promises are kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.control", description=__doc__)
    parser.add_argument("--cutouts", type=int, default=200_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch", type=int, default=1000, help="cutouts of one write")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    os.environ |= {"BENCH_BATCH": str(args.batch), "DA_SCORING__SHARD_SIZE": "2000"}

    def programs(place: Place, secrets: Secrets) -> Sequence[Program]:
        sweeper = next(p for p in service_programs(place, secrets) if p.name == "sweeper")
        waiting = (sys.executable, "-m", "bench.waiting_worker")
        workers = [Program(f"waiting{n}", waiting, place.environment()) for n in range(args.workers)]
        return [sweeper, *workers]

    with (
        tempfile.TemporaryDirectory(prefix="deep-asteroids-control-") as scratch,
        local_service(Path(scratch) / "service", programs=programs) as local,
    ):
        fill(local.record, args.cutouts)
        for version in CANDIDATES:
            local.record.models.register(card(version, version.encode()), version.encode())
        local.record.models.register_shipped()
        candidate = args.cutouts / _seconds(local, CANDIDATES, args.cutouts)
        production = args.cutouts / _seconds(local, (), args.cutouts)
    return conclude(
        "control",
        f"{candidate:,.0f} cutouts/s for candidates, {production:,.0f}/s where production fields are written",
        kept=candidate >= CANDIDATE_PER_S and production >= PRODUCTION_PER_S,
        details={"cutouts": args.cutouts, "workers": args.workers, "batch": args.batch},
        as_json=args.json,
    )


def _seconds(local: LocalService, models: Sequence[str], count: int) -> float:
    """Seconds from letting a planned backlog go on to its end."""
    record = local.record
    job = RescoreSubmitter(record).submit(Rescoring(models=models), owner="bench")
    record.jobs.set_paused(job.id, paused=True)
    _await(local, job.id, JobState.RUNNING)
    began = time.monotonic()
    record.jobs.set_paused(job.id, paused=False)
    record.shards.unpause(job.id)
    _await(local, job.id, JobState.FINISHED)
    seconds = time.monotonic() - began
    progress = record.shards.progress(job.id)
    if progress.scored != count:
        raise RuntimeError(f"{progress.scored:,} of {count:,} cutouts were scored")
    return seconds


def _await(local: LocalService, job: str, state: JobState) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while (found := local.record.jobs.get(job)) is None or found.state is not state:
        if time.monotonic() > deadline:
            raise TimeoutError(f"job {job} is not {state} after {TIMEOUT_S:.0f} s")
        time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(main())
