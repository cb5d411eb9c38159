"""`python -m bench.soak`: steady, light work for an hour, and whether any process grows or anything is lost.

The whole service runs as `up` runs it, with the light networks: API, worker with its watchdog and canary,
trainer, sweeper, Flower, Redis, MongoDB. Each second a few fresh cutouts and a file that is none are
uploaded, results are fetched, pages and lists are read. MongoDB's cache is filled before, as it would be
after days, by documents and their entries in its log.

The verdict: the resident memory of every process stays within 5 % of what it was after the first minutes
(medians of five minutes each; of processes below 20 MiB within 1 MiB), none of them ended, and every file
has its result.
"""

import argparse
import io
import json
import os
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import requests

from bench.cutout_files import another, jpegs
from bench.local_service import LocalService, local_service
from bench.memory_log import Growth, MemoryLog
from bench.verdict import conclude

FLAT = 0.05
FLAT_MIB = 1.0
DISTINCT = 500
LOOK_S = 10.0
TIMEOUT_S = 60.0
PATIENCE_S = 300.0
CACHE_DOCUMENTS = 500_000  # of 1 kB, and as much in the oplog: MongoDB's cache is 1 GB
AT_ONCE = 5000
PAGES = ("/", "/jobs", "/results", "/tonight", "/workers", "/models")
LISTS = ("/v1/jobs?limit=50", "/v1/cutouts?limit=50", "/v1/workers", "/v1/queues", "/metrics", "/readyz")
READ = PAGES + LISTS


@dataclass
class Work:
    """What was asked and what came of it."""

    jobs: int = 0
    files: int = 0
    scored: int = 0
    rejected: int = 0
    read: int = 0
    late: int = 0
    faults: list[str] = field(default_factory=list)


def main() -> int:
    """Work and watch; returns 0 when the promise is kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--warm", type=float, default=10.0, help="minutes after which memory is to be flat")
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two uploads")
    parser.add_argument("--cutouts", type=int, default=20, help="in each upload")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="for all data and logs, kept; else a temporary one")
    parser.add_argument("--looks", type=Path, help="a file for every look at every process, as JSON")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.warm >= args.minutes:
        parser.error(f"--warm {args.warm:g} of --minutes {args.minutes:g}; expected a shorter warming up")
    os.environ["DA_SHIPPED"] = "light"
    with tempfile.TemporaryDirectory(prefix="deep-asteroids-soak-") as scratch:
        folder = args.folder or Path(scratch)
        cutouts = [data for _, data in jpegs(DISTINCT, seed=args.seed)]
        with local_service(folder) as local:
            _fill_cache(local)
            with MemoryLog(lambda: _programs(local), every_s=LOOK_S) as log:
                cpu_s = sum(local.cpu_s().values())
                work = _work(local, cutouts, args)
                cores = (sum(local.cpu_s().values()) - cpu_s) / log.elapsed_s
    if args.looks:
        args.looks.write_text(
            json.dumps({"|".join(map(str, k)): list(map(asdict, v)) for k, v in log.looks.items()})
        )
    return _conclude(log, work, cores, args)


def _conclude(log: MemoryLog, work: Work, cores: float, args: argparse.Namespace) -> int:
    growth = log.growth(after_s=60 * args.warm)
    passing = log.passing(after_s=60 * args.warm)
    grown = {name: process for name, process in growth.items() if not _flat(process)}
    lost = work.files - work.scored - work.rejected
    kept = not (grown or passing or lost or work.faults) and work.rejected == work.jobs
    details: dict[str, object] = {
        "minutes": args.minutes,
        "jobs": work.jobs,
        "files": work.files,
        "scored": work.scored,
        "rejected": f"{work.rejected} of {work.jobs} that are no images",
        "pages and lists read": work.read,
        "rounds that began late": work.late,
        "cores used": round(cores, 2),
        **{name: asdict(it) if args.json else it.told() for name, it in growth.items()},
        **({"began or ended meanwhile": passing} if passing else {}),
        **({"faults": work.faults[:10]} if work.faults else {}),
    }
    most = max(growth.values(), key=lambda process: process.grown)
    name = next(name for name, process in growth.items() if process is most)
    figure = (
        f"{len(growth)} processes after {args.warm:g} of {args.minutes:g} minutes: {len(grown)} grew by more"
        f" than {FLAT:.0%}, {len(passing)} began or ended; most grew {name}, {most.grown:.1%};"
        f" {lost} of {work.files} files lost, {len(work.faults)} faults"
    )
    return conclude("soak", figure, kept=kept, details=details, as_json=args.json)


def _flat(process: Growth) -> bool:
    return process.grown <= FLAT or process.highest - process.first <= FLAT_MIB


def _programs(local: LocalService) -> dict[str, int]:
    """The processes of the service; its supervisor is in this one."""
    return local.programs() | {"supervisor and bench": os.getpid()}


def _fill_cache(local: LocalService) -> None:
    """Have MongoDB hold as much in memory as it ever will."""
    collection = local.record.database["soak_ballast"]
    for first in range(0, CACHE_DOCUMENTS, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, CACHE_DOCUMENTS))
        collection.insert_many([{"_id": n, "bytes": os.urandom(1000)} for n in numbers], ordered=False)
    for _ in collection.find({}, {"_id": 1}, batch_size=AT_ONCE):
        pass


def _work(local: LocalService, cutouts: Sequence[bytes], args: argparse.Namespace) -> Work:
    """Upload and read, round by round, until the time is over, then wait for what is left."""
    work = Work()
    url = local.service.url
    waiting: list[tuple[str, int]] = []
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {local.token()}"
        session.trust_env = False
        began = time.monotonic()
        while (at_s := work.jobs * args.every) < 60 * args.minutes:
            late_s = time.monotonic() - began - at_s
            time.sleep(max(0.0, -late_s))
            work.late += late_s > args.every
            try:
                waiting.append(_upload(session, url, cutouts, work, args.cutouts))
                waiting = _collect(session, url, waiting, work)
                _ask(session, url + READ[work.jobs % len(READ)]).close()
                work.read += 1
            except requests.RequestException as error:
                work.faults.append(f"{type(error).__name__}: {error}")
        deadline = time.monotonic() + PATIENCE_S
        while waiting and time.monotonic() < deadline:
            time.sleep(1.0)
            waiting = _collect(session, url, waiting, work)
    return work


def _upload(
    session: requests.Session, url: str, cutouts: Sequence[bytes], work: Work, count: int
) -> tuple[str, int]:
    """Submit fresh cutouts and a text; returns the job and how many files it has."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for n in range(work.jobs * count, (work.jobs + 1) * count):
            file.writestr(f"{n:08d}.jpg", another(cutouts[n % len(cutouts)], n))
        file.writestr("text.jpg", f"job {work.jobs} has a text")
    work.jobs, work.files = work.jobs + 1, work.files + count + 1
    answer = session.post(
        f"{url}/v1/jobs/score",
        data=archive.getvalue(),
        headers={"Content-Type": "application/zip"},
        timeout=TIMEOUT_S,
    )
    answer.raise_for_status()
    return str(answer.json()["job"]), count + 1


def _collect(
    session: requests.Session, url: str, waiting: Sequence[tuple[str, int]], work: Work
) -> list[tuple[str, int]]:
    """Fetch the results of jobs that have finished; returns the others."""
    left = []
    for job, files in waiting:
        view = _ask(session, f"{url}/v1/jobs/{job}").json()
        if view["state"] != "finished":
            left.append((job, files))
            continue
        results = _ask(session, f"{url}/v1/jobs/{job}/results?limit=1000").json()["results"]
        work.scored += sum(result["rb"] is not None and result["sl"] is not None for result in results)
        work.rejected += sum(result["rejection"] is not None for result in results)
    return left


def _ask(session: requests.Session, url: str) -> requests.Response:
    answer = session.get(url, timeout=TIMEOUT_S)
    answer.raise_for_status()
    return answer


if __name__ == "__main__":
    sys.exit(main())
