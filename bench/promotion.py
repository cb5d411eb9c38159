"""`python -m bench.promotion`: 5,000 cutouts are scored while a candidate is promoted.

Half of them are one bulk job, which runs all the while; the rest are small jobs, submitted one after the
other, with the promotion between two of them. The verdict: every job has one version of each classifier
throughout, those accepted before the promotion the old one and those after it the new one, every cutout has
its scores, and no process of the worker was restarted.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from bench.candidate import add_candidate
from bench.cutout_files import jpegs, write_zip
from bench.local_service import LocalService, local_service
from bench.process_tree import process_tree
from bench.verdict import conclude
from cli.connection import local_client

SMALL_JOB = 50


def main() -> int:
    """Score and promote; returns 0 when the promise is kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.promotion", description=__doc__)
    parser.add_argument("--cutouts", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds for all of it")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="deep-asteroids-promotion-") as scratch:
        folder = Path(scratch)
        cutouts = jpegs(args.cutouts, seed=args.seed)
        half = args.cutouts // 2
        bulk = write_zip(folder / "bulk.zip", cutouts[:half])
        small = [
            write_zip(folder / f"small-{start}.zip", cutouts[start : start + SMALL_JOB])
            for start in range(half, args.cutouts, SMALL_JOB)
        ]
        with local_service(folder / "service") as local:
            return _measure(local, bulk, small, args)


def _measure(local: LocalService, bulk: Path, small: list[Path], args: argparse.Namespace) -> int:
    old = next(version for version in local.record.models.production() if version.startswith("rb@"))
    new = add_candidate(local.record, old)
    workers = _workers(local)
    began = time.monotonic()
    middle = len(small) // 2
    before = [local.submit(bulk), *(local.submit(archive) for archive in small[:middle])]
    local_client(local.service.url, local.service.secrets_file).models.promote(new, even_if_worse=True)
    at_promotion = local.record.jobs.get(before[0])
    after = [local.submit(archive) for archive in small[middle:]]
    for job in (*before, *after):
        local.wait(job, timeout_s=args.timeout)
    took = time.monotonic() - began
    mixed = sum(not _has_only(local, job, old) for job in before)
    mixed += sum(not _has_only(local, job, new) for job in after)
    results = [result for job in (*before, *after) for result in local.results(job)]
    unscored = args.cutouts - sum(r["rb"] is not None and r["sl"] is not None for r in results)
    restarted = workers != _workers(local)
    running = at_promotion is not None and not at_promotion.state.ended
    kept = mixed == 0 and unscored == 0 and len(results) == args.cutouts and not restarted and running
    details: dict[str, object] = {
        "cutouts": args.cutouts,
        "promoted": f"{new} over {old}",
        "jobs with the old version": len(before),
        "jobs with the new version": len(after),
        "bulk job open at the promotion": running,
        "results": len(results),
        "processes of the worker": len(workers),
        "seconds": round(took, 1),
    }
    figure = f"{mixed} mixed jobs of {len(before) + len(after)}, {unscored} cutouts without scores"
    figure += f", worker {'restarted' if restarted else 'not restarted'}"
    return conclude("promotion", figure, kept=kept, details=details, as_json=args.json)


def _workers(local: LocalService) -> set[int]:
    return set(process_tree(local.service.record.processes["worker"].pid))


def _has_only(local: LocalService, job: str, rb: str) -> bool:
    """Whether a job names this version of rb, and its results and all that it wrote are of its versions."""
    found = local.record.jobs.get(job)
    if found is None or rb not in found.versions or len(found.versions) != 2:
        return False
    written = set(local.record.database["outcomes"].distinct("_id.version", {"job": job}))
    told = {tuple(sorted(result["versions"].values())) for result in local.results(job)}
    return written == set(found.versions) and told == {tuple(sorted(found.versions))}


if __name__ == "__main__":
    sys.exit(main())
