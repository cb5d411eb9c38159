"""`python -m bench.load`: 1,000 people watch jobs while 50 submit, at the API of docker-compose.yml.

Redis, MongoDB, API, worker and sweeper are started by the commands and environments of the file, as
processes of this machine. Each reader has a token and a connection of its own and asks how a job is once a
second, as `./streaks jobs watch` does: the newest job of one submitter, so 20 watch each. Each submitter
uploads a zip of a few fresh cutouts every five seconds. Latencies count from when a request was due.

The verdict: no error, p99 of both under half a second, the API's memory within 5 % of what it was after a
third of the time, and every cutout has its scores.
"""

import argparse
import asyncio
import io
import json
import os
import random
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import requests
import uvloop

from bench.cutout_files import another, jpegs
from bench.memory_log import MemoryLog
from bench.process_tree import cpu_seconds, process_tree
from bench.steady_client import Answers, Request, SteadyClient
from bench.verdict import conclude
from cli.local.readiness import has_workers
from core.service_secrets import read_secrets
from tests.deploy.compose import PORTS, Composed

LIMIT_S = 0.5
FLAT = 0.05
DISTINCT = 200
LOOK_S = 2.0
TOKENS_EACH = 50
PATIENCE_S = 120.0
SERVICES = ("api", "worker", "beat")


@dataclass
class Submitter:
    """Uploads fresh cutouts; knows its newest job and all others."""

    n: int
    cutouts: Sequence[bytes]
    each: int
    jobs: list[str] = field(default_factory=list)
    sent: int = 0

    def next(self) -> Request:
        """The next upload."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            for i in range(self.each):
                number = self.n * 1_000_000 + self.sent + i
                file.writestr(f"{number:09d}.jpg", another(self.cutouts[number % len(self.cutouts)], number))
        self.sent += self.each
        return Request("/v1/jobs/score", "POST", archive.getvalue(), "application/zip")

    def accepted(self, body: bytes) -> None:
        """Note the job that an answer tells of."""
        self.jobs.append(str(json.loads(body)["job"]))


def main() -> int:
    """Load and measure; returns 0 when the promise is kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--readers", type=int, default=1000)
    parser.add_argument("--submitters", type=int, default=50)
    parser.add_argument(
        "--read-every", type=float, default=1.0, help="seconds between two reads of one reader"
    )
    parser.add_argument("--submit-every", type=float, default=5.0, help="seconds between two uploads of one")
    parser.add_argument("--cutouts", type=int, default=4, help="in each upload")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="deep-asteroids-load-") as scratch:
        folder = Path(scratch)
        os.environ.setdefault("DA_SCORING__GRAPHS_DIR", str(folder / "graphs"))
        with Composed(folder / "service") as composed:
            _start(composed)
            return _measure(composed, args)


def _start(composed: Composed) -> None:
    composed.start_servers()
    composed.start("api")  # first, as in the file: it prepares the record
    composed.until(partial(composed.well, "api"), timeout_s=60)
    for program in SERVICES:
        if program != "api":
            composed.start(program)
    composed.until(partial(has_workers, composed.ports[PORTS["api"]]), timeout_s=180)


def _measure(composed: Composed, args: argparse.Namespace) -> int:
    url, port = composed.url("api"), composed.ports[PORTS["api"]]
    with requests.Session() as admin:
        tokens = _tokens(composed, admin, url, args.readers)
        cutouts = [data for _, data in jpegs(DISTINCT, seed=1)]
        submitters = [Submitter(n, cutouts, args.cutouts) for n in range(args.submitters)]
        pids = {name: composed.processes[name].pid for name in ("api", "worker", "beat", "mongo", "redis")}
        with MemoryLog(lambda: {"api": pids["api"]}, every_s=LOOK_S) as memory:
            before, own_before = _cpu_s(pids), time.process_time()
            reads, uploads = uvloop.run(_load(("127.0.0.1", port), tokens, submitters, args))
            cores = {name: (after - before[name]) / args.seconds for name, after in _cpu_s(pids).items()}
            own = (time.process_time() - own_before) / args.seconds
        scored = sum(_scored(admin, url, submitter) for submitter in submitters)
    sent = sum(submitter.sent for submitter in submitters)
    (growth,) = memory.growth(after_s=args.seconds / 3).values()
    faults = reads.faults + uploads.faults
    p99 = {name: _percentile(of, 99) for name, of in (("reads", reads), ("uploads", uploads))}
    kept = not faults and max(p99.values()) < LIMIT_S and growth.grown <= FLAT and scored == sent
    details: dict[str, object] = {
        "seconds": args.seconds,
        "readers": f"{args.readers}, each every {args.read_every:g} s",
        "submitters": f"{args.submitters}, each {args.cutouts} cutouts every {args.submit_every:g} s",
        "answers to reads, to uploads": (len(reads.took_s), len(uploads.took_s)),
        "reads/s": round(len(reads.took_s) / args.seconds, 1),
        "reads: p50, p95, p99, max in ms": _spread(reads),
        "uploads: p50, p95, p99, max in ms": _spread(uploads),
        "cutouts scored": f"{scored} of {sent}",
        "memory of the API": growth.told(),
        "cores used": {name: round(used, 2) for name, used in cores.items()} | {"bench": round(own, 2)},
        **({"faults": faults[:10]} if faults else {}),
    }
    figure = (
        f"{args.readers} readers and {args.submitters} submitters for {args.seconds:g} s:"
        f" {len(faults)} errors, p99 {1000 * p99['reads']:.0f} ms of reads and"
        f" {1000 * p99['uploads']:.0f} ms of uploads, limit {1000 * LIMIT_S:.0f},"
        f" API memory {growth.grown:+.1%}"
    )
    return conclude("load", figure, kept=kept, details=details, as_json=args.json)


async def _load(
    address: tuple[str, int], tokens: Sequence[str], submitters: Sequence[Submitter], args: argparse.Namespace
) -> tuple[Answers, Answers]:
    """All at once, each beginning at a moment of its own; returns what readers and submitters met."""
    rng = random.Random(1)

    def newest(n: int) -> Request | None:
        jobs = submitters[n % len(submitters)].jobs
        return Request(f"/v1/jobs/{jobs[-1]}") if jobs else None

    uploading = [
        SteadyClient(
            address, tokens[s.n % len(tokens)], every_s=args.submit_every, ask=s.next, told=s.accepted
        )
        for s in submitters
    ]
    reading = [
        SteadyClient(address, tokens[n % len(tokens)], every_s=args.read_every, ask=partial(newest, n))
        for n in range(args.readers)
    ]
    until = time.monotonic() + args.seconds
    starts = [(client, args.submit_every) for client in uploading]
    starts += [(client, args.read_every) for client in reading]
    await asyncio.gather(
        *(client.run(first_s=rng.uniform(0, every_s), until=until) for client, every_s in starts)
    )
    return _together(reading), _together(uploading)


def _together(clients: Sequence[SteadyClient]) -> Answers:
    return Answers(
        [took for client in clients for took in client.answers.took_s],
        [fault for client in clients for fault in client.answers.faults],
    )


def _tokens(composed: Composed, admin: requests.Session, url: str, count: int) -> list[str]:
    """Log the session in; returns as many tokens, of operators with up to 50 each."""
    account = read_secrets(composed.secrets / "secrets.json").database
    tokens: list[str] = []
    _log_in(admin, url, account.admin_username, account.admin_password.get_secret_value())
    with requests.Session() as person:
        for n in range(count):
            if n % TOKENS_EACH == 0:
                name, password = f"watcher-{n}", os.urandom(16).hex()
                _post(admin, f"{url}/v1/users", {"name": name, "password": password, "role": "operator"})
                _log_in(person, url, name, password)
            tokens.append(str(_post(person, f"{url}/v1/tokens", {"scope": "operator"})["access_token"]))
    return tokens


def _log_in(session: requests.Session, url: str, name: str, password: str) -> None:
    token = _post(session, f"{url}/auth", {"username": name, "password": password})["access_token"]
    session.headers["Authorization"] = f"Bearer {token}"


def _post(session: requests.Session, url: str, body: dict[str, str]) -> dict[str, str]:
    answer = session.post(url, json=body, timeout=30)
    answer.raise_for_status()
    found: dict[str, str] = answer.json()
    return found


def _scored(admin: requests.Session, url: str, submitter: Submitter) -> int:
    """How many cutouts of its jobs have scores, once they have ended."""
    deadline = time.monotonic() + PATIENCE_S
    scored = 0
    for job in submitter.jobs:
        while (view := admin.get(f"{url}/v1/jobs/{job}", timeout=30).json())["state"] != "finished":
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)
        scored += view["scored"]
    return scored


def _cpu_s(pids: dict[str, int]) -> dict[str, float]:
    return {name: sum(map(cpu_seconds, process_tree(pid))) for name, pid in pids.items()}


def _percentile(answers: Answers, q: float) -> float:
    return float(np.percentile(answers.took_s, q)) if answers.took_s else float("inf")


def _spread(answers: Answers) -> list[float]:
    return [round(1000 * _percentile(answers, q), 1) for q in (50, 95, 99, 100)]


if __name__ == "__main__":
    sys.exit(main())
