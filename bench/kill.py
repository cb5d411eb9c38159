"""`python -m bench.kill`: a job of 2,000 cutouts while its worker, Redis and mongod are killed.

The same cutouts are first scored undisturbed, in a service of their own. The verdict: every cutout has
exactly one outcome per version on record, and the job's results, as the API gives them, have every file
exactly once; both with the values of the undisturbed run.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from redis import Redis

from bench.cutout_files import jpegs, write_zip
from bench.local_service import LocalService, local_service
from bench.process_tree import process_tree
from bench.verdict import conclude

TOLERANCE = 1e-5
Outcomes = dict[tuple[str, str], list[float | None]]


class Item(NamedTuple):
    """A file of a job, as its results tell of it."""

    file: str
    rb: float | None
    sl: float | None
    rejection: str | None


@dataclass(frozen=True)
class Run:
    """What one run came to."""

    outcomes: Outcomes
    items: list[Item]
    seconds: float
    faults: list[str]


@dataclass(frozen=True)
class Comparison:
    """Files missing or too many in the results of either run, and how far their scores are apart."""

    missing: int
    doubled: int
    largest_difference: float


def main() -> int:
    """Run both; returns 0 when the promise is kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.kill", description=__doc__)
    parser.add_argument("--cutouts", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds for each run")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="deep-asteroids-kill-") as scratch:
        cutouts = jpegs(args.cutouts, seed=args.seed)
        archive = write_zip(Path(scratch) / "night.zip", cutouts)
        _say("undisturbed run")
        calm = _run(Path(scratch) / "calm", archive, args.timeout, None)
        _say("disturbed run")
        rough = _run(Path(scratch) / "rough", archive, args.timeout, random.Random(args.seed))
    record = _compare_outcomes(calm.outcomes, rough.outcomes)
    results = compare([name for name, _ in cutouts], calm.items, rough.items)
    lost, double = record.missing + results.missing, record.doubled + results.doubled
    worst = max(record.largest_difference, results.largest_difference)
    kept = (
        lost == 0
        and double == 0
        and worst <= TOLERANCE
        and len(calm.outcomes) == 2 * args.cutouts
        and len(rough.faults) == 3
    )
    details: dict[str, object] = {
        "cutouts": args.cutouts,
        "outcomes": len(rough.outcomes),
        "outcomes lost": record.missing,
        "results": len(rough.items),
        "results missing": results.missing,
        "results doubled": results.doubled,
        "faults": rough.faults,
        "seconds undisturbed": round(calm.seconds, 1),
        "seconds disturbed": round(rough.seconds, 1),
    }
    figure = f"{lost} lost, {double} double, largest difference {worst:.1g} after {len(rough.faults)} kills"
    return conclude("kill", figure, kept=kept, details=details, as_json=args.json)


def compare(files: Sequence[str], calm: Sequence[Item], rough: Sequence[Item]) -> Comparison:
    """The results of both runs, of which each should have every file once, and the same of it."""
    wanted = Counter(files)
    counts = [Counter(item.file for item in run) for run in (calm, rough)]
    others = {item.file: item for item in rough}
    pairs = [(item, others[item.file]) for item in calm if item.file in others]
    return Comparison(
        missing=sum((wanted - found).total() for found in counts),
        doubled=sum((found - wanted).total() for found in counts),
        largest_difference=max((_apart(one, other) for one, other in pairs), default=0.0),
    )


def _apart(one: Item, other: Item) -> float:
    if one.rejection != other.rejection:
        return 1.0
    return max(_difference(one.rb, other.rb), _difference(one.sl, other.sl))


def _compare_outcomes(calm: Outcomes, rough: Outcomes) -> Comparison:
    """The record of both runs. Its key forbids a second outcome; that a result comes once, `compare` says."""
    shared = calm.keys() & rough.keys()
    return Comparison(
        missing=len(calm.keys() - rough.keys()),
        doubled=len(rough.keys() - calm.keys()) + sum(len(found) - 1 for found in rough.values()),
        largest_difference=max((_difference(calm[key][0], rough[key][0]) for key in shared), default=0.0),
    )


def _run(folder: Path, archive: Path, timeout_s: float, chance: random.Random | None) -> Run:
    with local_service(folder) as local:
        versions = local.record.models.production()
        began = time.monotonic()
        job = local.submit(archive)
        faults = _disturb(local, job, chance) if chance else []
        local.wait(job, timeout_s=timeout_s)
        took = time.monotonic() - began
        items = [
            Item(
                result["file"],
                result["rb"],
                result["sl"],
                result["rejection"]["reason"] if result["rejection"] else None,
            )
            for result in local.results(job)
        ]
        return Run(local.outcomes(*versions), items, took, faults)


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
