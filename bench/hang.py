"""`python -m bench.hang`: the scoring process is stopped amid a job; the watchdog is at its defaults.

The light networks score a job of fresh cutouts. When the first outcomes are on record, the process that
holds the engine gets SIGSTOP: nothing in it runs any more, as in a driver that hangs. The verdict: another
one is ready within 90 s, and every cutout of the job has its scores once.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.await_that import await_that
from bench.cutout_files import another, jpegs, write_zip
from bench.local_service import LocalService, local_service
from bench.verdict import conclude
from cli.local.programs import Place, service_programs
from cli.local.supervisor import Program
from core.service_secrets import Secrets
from core.settings import Watchdog

LIMIT_S = 90.0
DISTINCT = 300
PATIENCE_S = 300.0
SLOW = {"DA_SCORING__BATCH_SIZES": "[8]", "DA_SCORING__SHARD_SIZE": "64"}


def main() -> int:
    """Stop, wait and count; returns 0 when the promise is kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.hang", description=__doc__)
    parser.add_argument("--cutouts", type=int, default=3000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    os.environ["DA_SHIPPED"] = "light"
    with tempfile.TemporaryDirectory(prefix="deep-asteroids-hang-") as scratch:
        folder = Path(scratch)
        drawn = [data for _, data in jpegs(DISTINCT, seed=1)]
        files = [(f"{n:06d}.jpg", another(drawn[n % DISTINCT], n)) for n in range(args.cutouts)]
        archive = write_zip(folder / "night.zip", files)
        with local_service(folder / "service", programs=_programs) as local:
            return _measure(local, archive, args)


def _programs(place: Place, secrets: Secrets) -> Sequence[Program]:
    """API, sweeper and a worker of small batches, so that it is stopped amid a shard."""
    programs = {program.name: program for program in service_programs(place, secrets)}
    worker = programs["worker"]
    return [programs["api"], replace(worker, env={**worker.env, **SLOW}), programs["sweeper"]]


def _measure(local: LocalService, archive: Path, args: argparse.Namespace) -> int:
    (before,) = local.record.workers.ready()
    job = local.submit(archive)
    outcomes = local.record.database["outcomes"]
    await_that(lambda: outcomes.find_one() is not None, "an outcome")
    os.kill(before.pid, signal.SIGSTOP)
    stopped = time.monotonic()
    done = outcomes.estimated_document_count()
    await_that(lambda: any(w.pid != before.pid for w in local.record.workers.ready()), "another process")
    replaced_s = time.monotonic() - stopped
    view = local.wait(job, timeout_s=PATIENCE_S)
    finished_s = time.monotonic() - stopped
    after = next(w for w in local.record.workers.ready() if w.pid != before.pid)
    found = local.outcomes(*view.versions)
    whole = sum(len(scores) == 1 and scores[0] is not None for scores in found.values())
    wanted = len(view.versions) * args.cutouts
    kept = replaced_s < LIMIT_S and whole == wanted == len(found) and view.state == "finished"
    details: dict[str, object] = {
        "outcomes when it was stopped": f"{done} of {wanted}",
        "watchdog": Watchdog().model_dump(),
        "replaced, and why": (after.replaced, after.replaced_why),
        "seconds until another was ready": round(replaced_s, 1),
        "seconds until the job was done": round(finished_s, 1),
    }
    figure = (
        f"replaced after {replaced_s:.0f} s, limit {LIMIT_S:.0f} s;"
        f" {wanted - whole} of {wanted} outcomes lost"
    )
    return conclude("hang", figure, kept=kept, details=details, as_json=args.json)


if __name__ == "__main__":
    sys.exit(main())
