"""`python -m bench.kill`: a job of 2,000 cutouts while its worker, Redis and mongod are killed.

The same cutouts are first scored undisturbed, in a service of their own. The verdict: every cutout has
exactly one outcome per version, with the values of the undisturbed run.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from redis import Redis

from bench.cutout_files import jpegs, write_zip
from bench.local_service import LocalService, local_service
from bench.process_tree import process_tree
from bench.verdict import conclude

TOLERANCE = 1e-5
Outcomes = dict[tuple[str, str], list[float | None]]


def main() -> int:
    """Run both; returns 0 when the promise is kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.kill", description=__doc__)
    parser.add_argument("--cutouts", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds for each run")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="deep-asteroids-kill-") as scratch:
        archive = write_zip(Path(scratch) / "night.zip", jpegs(args.cutouts, seed=args.seed))
        _say("undisturbed run")
        calm, calm_s, _ = _run(Path(scratch) / "calm", archive, args.timeout, None)
        _say("disturbed run")
        rough, rough_s, faults = _run(
            Path(scratch) / "rough", archive, args.timeout, random.Random(args.seed)
        )
    missing = sum(key not in rough for key in calm)
    extra = sum(key not in calm for key in rough) + sum(len(found) - 1 for found in rough.values())
    worst = max((_difference(calm[key][0], rough[key][0]) for key in calm if key in rough), default=0.0)
    kept = (
        missing == 0
        and extra == 0
        and worst <= TOLERANCE
        and len(calm) == 2 * args.cutouts
        and len(faults) == 3
    )
    details: dict[str, object] = {
        "cutouts": args.cutouts,
        "outcomes": len(rough),
        "faults": faults,
        "seconds undisturbed": round(calm_s, 1),
        "seconds disturbed": round(rough_s, 1),
    }
    figure = f"{missing} lost, {extra} double, largest difference {worst:.1g} after {len(faults)} kills"
    return conclude("kill", figure, kept=kept, details=details, as_json=args.json)


def _run(
    folder: Path, archive: Path, timeout_s: float, chance: random.Random | None
) -> tuple[Outcomes, float, list[str]]:
    with local_service(folder) as local:
        versions = local.record.models.production()
        began = time.monotonic()
        job = local.submit(archive)
        faults = _disturb(local, job, chance) if chance else []
        local.wait(job, timeout_s=timeout_s)
        return local.outcomes(*versions), time.monotonic() - began, faults


def _disturb(local: LocalService, job: str, chance: random.Random) -> list[str]:
    """Kill the worker, then Redis with its data, then mongod, each at a random share of the work."""
    kills: list[tuple[str, tuple[float, float], Callable[[LocalService], None]]] = [
        ("worker killed with SIGKILL", (0.05, 0.30), _kill_worker),
        ("Redis emptied and killed", (0.35, 0.60), _kill_redis),
        ("mongod killed", (0.65, 0.90), _kill_mongo),
    ]
    found = local.record.jobs.get(job)
    total = found.items * len(found.versions) if found else 0
    done = []
    for what, (low, high), kill in kills:
        share = chance.uniform(low, high)
        while (written := local.record.database["outcomes"].estimated_document_count()) < share * total:
            time.sleep(0.01)
        kill(local)
        done.append(f"{what} at {written} of {total} outcomes")
        _say(done[-1])
    return done


def _kill_worker(local: LocalService) -> None:
    for pid in reversed(process_tree(local.service.record.processes["worker"].pid)):
        os.kill(pid, signal.SIGKILL)


def _kill_redis(local: LocalService) -> None:
    with Redis.from_url(local.servers.redis_url) as redis:
        redis.flushall()
    local.servers.redis.kill()
    time.sleep(1.0)
    local.servers.redis.start()


def _kill_mongo(local: LocalService) -> None:
    local.servers.mongo.kill()
    time.sleep(1.0)
    local.servers.mongo.start()


def _difference(one: float | None, other: float | None) -> float:
    if one is None or other is None:
        return 0.0 if one is other else 1.0
    return abs(one - other)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
