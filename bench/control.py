"""`python -m bench.control`: what the control plane does when the networks cost nothing.

A backlog is planned and paused; then it goes on, and is dispatched, claimed, written and closed by real
Celery workers on real servers, with journaled writes, two versions, and an engine and a reader that only
pretend. Once for candidates (outcomes only) and once for production (the cutouts' fields too). Beside the
rate it tells where the time goes: the CPU of each process, and what workers wait for at MongoDB.
"""

import argparse
import math
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.local_service import LocalService, local_service
from bench.planning import fill
from bench.statements import Statements, statements_in
from bench.untroubled import refuse_troubled
from bench.verdict import conclude
from bench.waiting_program import waiting_program
from cli.connection import local_client
from cli.local.programs import Place, service_programs
from cli.local.supervisor import Program
from core.job import Job, JobState
from core.service_secrets import Secrets
from tests.record import card

CANDIDATE_PER_S = 20_000
PRODUCTION_PER_S = 8_000
CANDIDATES = ("rb@9001", "sl@9001")
TIMEOUT_S = 600.0
SETTLED_S = 0.5  # until the workers have told their statements
SHOWN = 6


@dataclass(frozen=True)
class Measured:
    """One backlog; seconds are from letting it go on.

    Parameters
    ----------
    first_claim_s, last_close_s, finished_s : of a shard, of a shard, of the job.
    cores_busy : how many of the machine's cores its processes kept busy.
    cpu_us : of each program, per cutout.
    waited_us : for the statements that workers waited for most, per cutout.
    """

    per_s: int
    shards_per_s: float
    first_claim_s: float
    last_close_s: float
    finished_s: float
    cores_busy: float
    cpu_us: dict[str, float]
    waited_us: dict[str, str]


def main() -> int:
    """Run both backlogs; returns 0 when the promises are kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.control", description=__doc__)
    parser.add_argument("--cutouts", type=int, default=200_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch", type=int, default=64, help="cutouts that the engine takes at a time")
    parser.add_argument("--rate", type=float, default=math.inf, help="cutouts/s of each engine")
    parser.add_argument("--shard", type=int, default=2000, help="cutouts of a shard")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="deep-asteroids-control-") as scratch:
        folder = Path(scratch)
        os.environ["DA_SCORING__SHARD_SIZE"] = str(args.shard)

        def programs(place: Place, secrets: Secrets) -> Sequence[Program]:
            ours = [p for p in service_programs(place, secrets) if p.name in ("api", "sweeper")]
            as_told = {"batch": args.batch, "per_s": args.rate, "statements": folder}
            workers = [waiting_program(place, f"worker {n}", **as_told) for n in range(args.workers)]
            return [*ours, *workers]

        with local_service(folder / "service", programs=programs) as local:
            fill(local.record, args.cutouts)
            for version in CANDIDATES:
                local.record.models.register(card(version, version.encode()), version.encode())
            local.record.models.register_shipped("light")
            candidate = _measured(local, CANDIDATES, args.cutouts, folder)
            production = _measured(local, (), args.cutouts, folder)
    details: dict[str, object] = {
        name: getattr(args, name) for name in ("cutouts", "workers", "batch", "shard")
    }
    details["rate"] = "as fast as it can" if math.isinf(args.rate) else args.rate
    for name, measured in (("candidate", candidate), ("production", production)):
        details |= {f"{name}, {key}": value for key, value in asdict(measured).items()}
    return conclude(
        "control",
        f"{candidate.per_s:,} cutouts/s for candidates, {production.per_s:,}/s where production fields are "
        "written",
        kept=candidate.per_s >= CANDIDATE_PER_S and production.per_s >= PRODUCTION_PER_S,
        details=details,
        as_json=args.json,
    )


def _measured(local: LocalService, models: Sequence[str], count: int, statements: Path) -> Measured:
    """Plan a backlog, pause it, and measure from letting it go on to its end."""
    client = local_client(local.service.url, local.service.secrets_file)
    job = str(client.jobs.submit_rescoring({"models": list(models)})["job"])
    client.jobs.change(job, paused=True)
    _await(local, job, JobState.RUNNING)
    time.sleep(SETTLED_S)
    before_us, waited_before = local.cpu_s(), statements_in(statements)
    began = datetime.now(UTC)
    client.jobs.change(job, paused=False)
    finished = _await(local, job, JobState.FINISHED).finished or began
    seconds = (finished - began).total_seconds()
    cpu = {name: after - before_us[name] for name, after in local.cpu_s().items()}
    time.sleep(SETTLED_S)
    progress = local.record.shards.progress(job)
    if progress.scored != count:
        raise RuntimeError(f"{progress.scored:,} of {count:,} cutouts were scored")
    refuse_troubled(local.record, job)
    first, last, shards = _claimed_and_closed(local, job)
    return Measured(
        per_s=round(count / seconds),
        shards_per_s=round(shards / seconds, 1),
        first_claim_s=round((first - began).total_seconds(), 3),
        last_close_s=round((last - began).total_seconds(), 3),
        finished_s=round(seconds, 3),
        cores_busy=round(sum(cpu.values()) / seconds, 2),
        cpu_us={name: round(1e6 * used / count, 1) for name, used in cpu.items()},
        waited_us=_waited(waited_before, statements_in(statements), count),
    )


def _await(local: LocalService, job: str, state: JobState) -> Job:
    deadline = time.monotonic() + TIMEOUT_S
    while (found := local.record.jobs.get(job)) is None or found.state is not state:
        if time.monotonic() > deadline:
            raise TimeoutError(f"job {job} is not {state} after {TIMEOUT_S:.0f} s")
        time.sleep(0.05)
    return found


def _claimed_and_closed(local: LocalService, job: str) -> tuple[datetime, datetime, int]:
    """When the first shard was claimed and when the last one was closed, and how many there are."""
    times = {"_id": None, "first": {"$min": "$claimed"}, "last": {"$max": "$closed"}, "n": {"$sum": 1}}
    found = next(local.record.database["shards"].aggregate([{"$match": {"_id.job": job}}, {"$group": times}]))
    return found["first"], found["last"], found["n"]


def _waited(before: Statements, after: Statements, count: int) -> dict[str, str]:
    grown = {
        name: (n - before.get(name, (0, 0))[0], micros - before.get(name, (0, 0))[1])
        for name, (n, micros) in after.items()
    }
    most = sorted(grown.items(), key=lambda item: -item[1][1])[:SHOWN]
    return {name: f"{micros / count:.1f} in {n:,} statements" for name, (n, micros) in most}


if __name__ == "__main__":
    sys.exit(main())
