"""`python -m bench.faults`: jobs run while parts of the service are killed and stopped, by a seeded schedule.

Round after round, until the schedule is over, cutouts are uploaded (some of them bad) and, at the same time,
those on record are rescored by a candidate. From the first outcome on, children, workers, API, sweeper, Redis
(with and without its data) and mongod are killed, and stopped for longer than a lease. Then the record is
emptied and the same is done undisturbed. The verdict: every file of every job has one result and every cutout
one outcome per version, nothing is there twice, and all values are those of the undisturbed run.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bench.candidate import add_candidate
from bench.disturber import NOBODY, Disturber, worker_name
from bench.local_service import LocalService, local_service
from bench.rounds import bad_files, make_round
from bench.schedule import Fault, draw
from bench.tally import Differences, Tally, compare, owed, tally
from bench.verdict import conclude
from cli.client import Client, LocalLogin
from cli.local.programs import Place, service_programs
from cli.local.supervisor import Program
from cli.multipart import File
from core.errors import ServiceError
from core.service_secrets import Secrets, read_secrets

PATIENCE_S = 120.0
POLL_S = 0.1
SHOWN = 10
WRITTEN = ("jobs", "shards", "cutouts", "outcomes")


@dataclass(frozen=True)
class Run:
    """What came of both runs."""

    happened: Counter[str]
    files: list[list[str]]
    calm: Tally
    rough: Tally
    versions: tuple[str, ...]
    after_s: float  # from the last fault to the end of the last job


def main() -> int:
    """Draw the schedule, run; returns 0 when the promise is kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=5.0, help="of the schedule")
    parser.add_argument("--every", type=float, default=4.0, help="seconds between faults, on average")
    parser.add_argument("--lease", type=float, default=10.0, help="seconds of a lease")
    parser.add_argument("--cutouts", type=int, default=200, help="in each upload")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds for jobs after the last fault")
    parser.add_argument("--folder", type=Path, help="for all data and logs, kept; else a temporary one")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    try:
        faults = draw(
            args.seed, minutes=args.minutes, every_s=args.every, lease_s=args.lease, workers=args.workers
        )
    except ValueError as error:
        parser.error(str(error))
    os.environ |= _settings(args.lease)
    with tempfile.TemporaryDirectory(prefix="deep-asteroids-faults-") as scratch:
        folder = args.folder or Path(scratch)
        programs = partial(_programs, workers=args.workers)
        try:
            with local_service(folder / "service", programs=programs) as local:
                run = _run(local, folder, faults, args)
        except (ServiceError, TimeoutError) as error:
            figure = f"seed {args.seed}: {type(error).__name__}: {error}"
            return conclude("faults", figure, kept=False, details={}, as_json=args.json)
    return _conclude(run, args)


def _conclude(run: Run, args: argparse.Namespace) -> int:
    found = compare(run.calm, run.rough)
    lost = found.lost + owed(run.calm, run.files, run.versions)
    rejected = sum(
        key[0] == "result" and values[0][-1] is not None for key, values in run.calm.items() for _ in values
    )
    expected = sum(bad_files(n) for n in range(len(run.files)))
    kept = not (lost or found.double or found.different) and rejected == expected
    happened = {kind: count for kind, count in sorted(run.happened.items()) if kind != NOBODY}
    details: dict[str, object] = {
        "seed": args.seed,
        "rounds": len(run.files),
        "files": sum(map(len, run.files)),
        "rejected": f"{rejected} of {expected} bad ones",
        "outcomes": sum(key[0] == "outcome" for key in run.rough),
        "faults": happened,
        "faults with nobody there": run.happened[NOBODY],
        "seconds from the last fault to the end": round(run.after_s, 1),
        **_examples(replace(found, lost=lost)),
    }
    told = ", ".join(f"{count} {kind}" for kind, count in happened.items())
    figure = f"{told}: {len(lost)} lost, {len(found.double)} double, {len(found.different)} different"
    return conclude("faults", figure, kept=kept, details=details, as_json=args.json)


def _examples(found: Differences) -> dict[str, object]:
    return {name: examples[:SHOWN] for name, examples in vars(found).items() if examples}


def _settings(lease_s: float) -> dict[str, str]:
    """Small shards and batches, so that faults meet many of them half done, and a lease of this length."""
    return {
        "DA_SCORING__LEASE_S": str(lease_s),
        "DA_SCORING__HEARTBEAT_S": str(lease_s / 4),
        "DA_SCORING__SWEEP_S": str(lease_s * 0.3),
        "DA_SCORING__SHARD_SIZE": "128",
        "DA_SCORING__BATCH_SIZES": "[8]",
    }


def _programs(place: Place, secrets: Secrets, *, workers: int) -> Sequence[Program]:
    """The API, the sweeper and several workers; nobody trains."""
    programs = {program.name: program for program in service_programs(place, secrets)}
    scoring = (replace(programs["worker"], name=worker_name(n)) for n in range(workers))
    return [programs["api"], programs["sweeper"], *scoring]


def _run(local: LocalService, folder: Path, faults: Sequence[Fault], args: argparse.Namespace) -> Run:
    """The disturbed run, of as many rounds as it has time for, and the same undisturbed."""
    production = local.record.models.production()
    candidate = add_candidate(local.record, next(v for v in production if v.startswith("rb@")))
    client = _client(local)
    span_s = 60 * args.minutes + args.timeout
    over = threading.Event()
    archives: list[Path] = []

    def rounds() -> Iterator[Path]:
        while not archives or not over.is_set():
            archives.append(make_round(folder, len(archives), cutouts=args.cutouts, seed=args.seed))
            yield archives[-1]

    with ThreadPoolExecutor(1) as thread:
        working = thread.submit(_work, client, rounds(), candidate, until=time.monotonic() + span_s)
        try:
            _await_outcomes(local, working)
            happened = Disturber(local).follow(faults)
        finally:
            over.set()
        rested = time.monotonic()
        jobs = working.result()
    after_s = time.monotonic() - rested
    rough = tally(local.record, client, jobs)
    for collection in WRITTEN:
        local.record.database[collection].delete_many({})
    calm_jobs = _work(client, archives, candidate, until=time.monotonic() + span_s)
    calm = tally(local.record, client, calm_jobs)
    files = [zipfile.ZipFile(archive).namelist() for archive in archives]
    return Run(happened, files, calm, rough, (*production, candidate), after_s)


def _await_outcomes(local: LocalService, working: Future[list[str]]) -> None:
    """Return when the first outcomes are on record, or when nobody works."""
    while not working.done() and local.record.database["outcomes"].find_one() is None:
        time.sleep(POLL_S / 10)


def _work(client: Client, rounds: Iterable[Path], candidate: str, *, until: float) -> list[str]:
    """Upload each and rescore what there is meanwhile, then what is left; returns the uploads' jobs."""
    jobs = []
    for n, archive in enumerate(rounds):
        priority = "live" if n % 2 else "bulk"
        upload = client.jobs.submit_files([File(archive.name, archive)], priority=priority)
        rescoring = client.jobs.submit_rescoring({"models": [candidate]})
        jobs.append(str(upload["job"]))
        _await(client, jobs[-1], until)
        _await(client, str(rescoring["job"]), until)
    _await(client, str(client.jobs.submit_rescoring({"models": [candidate]})["job"]), until)
    return jobs


def _await(client: Client, job: str, until: float) -> None:
    """Return when a job has finished; raises TimeoutError, and ServiceError when it came to another end."""
    while time.monotonic() < until:
        view = client.jobs.get(job)
        if view["state"] == "finished":
            return
        if view["state"] in ("failed", "cancelled"):
            raise ServiceError(f"job {job} has {view['state']}: {view['failure']}; expected that it finishes")
        time.sleep(POLL_S)
    raise TimeoutError(f"job {job} has not ended in time: {client.jobs.get(job)}")


def _client(local: LocalService) -> Client:
    """The administrator's, who waits for an API that is away."""
    account = read_secrets(local.service.secrets_file).database
    password = account.admin_password.get_secret_value()
    login = LocalLogin(account.admin_username, password, local.service.secrets_file.with_name("token"))
    return Client(local.service.url, login, patience_s=PATIENCE_S)


if __name__ == "__main__":
    sys.exit(main())
