"""`python -m bench.elastic`: a backlog with two workers, then one, the other being killed, then three.

The workers are real ones, on hosts that are called a, b, c and d, with an engine that only waits, so that
two cores suffice. The rates are the service's own, as it counts them from its record and as `jobs watch`
shows them; what that prints is caught in a terminal. The verdict: each rate is that of so many engines, the
one line of `jobs watch` shows it, and every cutout has one outcome by each version.
"""

import argparse
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.local_service import LocalService, local_service
from bench.planning import fill
from bench.process_tree import process_tree
from bench.verdict import conclude
from bench.waiting_program import waiting_program
from bench.watched_terminal import Frame, WatchedTerminal
from cli.client import Client
from cli.connection import local_client
from cli.local.programs import Place, service_programs
from cli.local.supervisor import Program
from cli.tables import count
from core.service_secrets import Secrets, read_secrets

BATCH = 32
SLOWEST, FASTEST = 0.75, 1.1  # of what the engines alone would do
COLUMNS = 120
SETTLED_WITHIN_S = 45.0
HELD_S = 5.0
LOOK_S = 0.5
TIMEOUT_S = 600.0
RATE_SHOWN = re.compile(r", ([\d,.]+)/s")


@dataclass(frozen=True)
class Phase:
    """What the service told while these hosts worked.

    Parameters
    ----------
    settled_s : until it named these hosts and no others.
    per_s : the rate that it told then, the median of five seconds; hosts: of each.
    shown_per_s : the rate on the line of `jobs watch` in that time, the median.
    """

    settled_s: float
    per_s: float
    hosts: dict[str, float]
    shown_per_s: float
    shown: str


class Workers:
    """Workers that nobody starts again, each as if on a host of its own."""

    def __init__(self, launch: Callable[[str], "subprocess.Popen[bytes]"]) -> None:
        self._launch = launch
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *hosts: str) -> None:
        """Start one on each."""
        for host in hosts:
            self._running[host] = self._launch(host)
            _say(f"worker on {host} started")

    def kill(self, host: str) -> None:
        """SIGKILL one with all its processes."""
        worker = self._running.pop(host)
        for pid in reversed(process_tree(worker.pid)):
            os.kill(pid, signal.SIGKILL)
        worker.wait()
        _say(f"worker on {host} killed")

    def stop(self) -> None:
        """End those that still run."""
        for worker in self._running.values():
            worker.terminate()
        for worker in self._running.values():
            worker.wait(30)


def main() -> int:
    """Run it; returns 0 when the rate followed, `jobs watch` showed it and nothing was lost."""
    parser = argparse.ArgumentParser(prog="python -m bench.elastic", description=__doc__)
    parser.add_argument("--cutouts", type=int, default=40_000)
    parser.add_argument("--rate", type=float, default=250.0, help="cutouts/s of each engine")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    os.environ["DA_SCORING__SHARD_SIZE"] = str(max(BATCH, round(args.rate)))  # a second each
    with tempfile.TemporaryDirectory(prefix="deep-asteroids-elastic-") as scratch:
        places: list[Place] = []

        def programs(place: Place, secrets: Secrets) -> Sequence[Program]:
            places.append(place)
            return [p for p in service_programs(place, secrets) if p.name in ("api", "sweeper")]

        def launch(host: str) -> "subprocess.Popen[bytes]":
            told = {"batch": BATCH, "per_s": args.rate, "statements": Path(scratch)}
            program = waiting_program(places[0], host, **told)
            named = {**program.env, "BENCH_NAME": f"{host}:wait0"}
            return subprocess.Popen(program.argv, env=named, stdout=subprocess.DEVNULL)

        with local_service(Path(scratch) / "service", programs=programs) as local, _ended(launch) as workers:
            fill(local.record, args.cutouts)
            return _measure(local, workers, args)


def _measure(local: LocalService, workers: Workers, args: argparse.Namespace) -> int:
    client = local_client(local.service.url, local.service.secrets_file)
    local.record.models.register_shipped("light")
    job = str(client.jobs.submit_rescoring({})["job"])
    terminal = _watch(local, job)
    workers.start("a", "b")
    phases = [_phase(client, job, terminal, {"a", "b"})]
    workers.kill("b")
    phases.append(_phase(client, job, terminal, {"a"}))
    workers.start("c", "d")
    phases.append(_phase(client, job, terminal, {"a", "c", "d"}))
    local.wait(job, timeout_s=TIMEOUT_S)
    status = terminal.wait(30)
    lost, double = lost_and_double(local, job, args.cutouts)
    frames = terminal.frames()
    widest = max(len(frame.text) for frame in frames)
    followed = all(
        _is_rate(rate, len(phase.hosts) * args.rate)
        for phase in phases
        for rate in (phase.per_s, phase.shown_per_s)
    )
    told = ", ".join(f"{len(phase.hosts)}: {phase.per_s:.0f}/s" for phase in phases)
    shown = ", ".join(f"{phase.shown_per_s:.0f}/s" for phase in phases)
    details: dict[str, object] = {"cutouts": args.cutouts, "cutouts/s of an engine": args.rate}
    for phase in phases:
        rates = ", ".join(f"{host} {rate:.0f}/s" for host, rate in sorted(phase.hosts.items()))
        details[count(len(phase.hosts), "worker")] = f"{rates}; told after {phase.settled_s:.1f} s"
        details[f"{count(len(phase.hosts), 'worker')}, jobs watch"] = phase.shown
    details |= {
        "frames": len(frames),
        "widest frame": f"{widest} of {COLUMNS} columns",
        "exit status": status,
    }
    return conclude(
        "elastic",
        f"rate with workers {told}; jobs watch showed {shown} on one line; {lost} lost, {double} double",
        kept=followed and widest < COLUMNS and status == 0 and lost == 0 and double == 0,
        details=details,
        as_json=args.json,
    )


def _phase(client: Client, job: str, terminal: WatchedTerminal, hosts: set[str]) -> Phase:
    """Wait until the service names these hosts alone, and measure for a few seconds."""
    began = time.monotonic()
    while set((view := _open(client, job))["hosts"]) != hosts:
        if time.monotonic() - began > SETTLED_WITHIN_S:
            raise TimeoutError(f"after {SETTLED_WITHIN_S:.0f} s it names {view['hosts']}, expected {hosts}")
        time.sleep(LOOK_S)
    settled = time.monotonic()
    since_s = terminal.seconds()
    views: list[dict[str, Any]] = []
    while time.monotonic() - settled < HELD_S:
        views.append(_open(client, job))
        time.sleep(LOOK_S)
    frames = [frame for frame in terminal.frames() if frame.at_s >= since_s]
    shown = [rate for frame in frames if (rate := rate_shown(frame)) is not None]
    phase = Phase(
        settled_s=settled - began,
        per_s=statistics.median(view["rate"] for view in views),
        hosts={host: statistics.median(view["hosts"].get(host, 0.0) for view in views) for host in hosts},
        shown_per_s=statistics.median(shown) if shown else 0.0,
        shown=frames[-1].text if frames else "nothing",
    )
    _say(f"{count(len(hosts), 'worker')}: {phase.per_s:.0f}/s after {phase.settled_s:.1f} s; {phase.shown}")
    return phase


def rate_shown(frame: Frame) -> float | None:
    """The job's rate in cutouts/s that a line of `jobs watch` tells; None where it tells none."""
    found = RATE_SHOWN.search(frame.text)
    return None if found is None else float(found[1].replace(",", ""))


def _open(client: Client, job: str) -> dict[str, Any]:
    view = client.jobs.get(job)
    if view["finished"]:
        raise RuntimeError(f"job {job} was finished before all was measured: give it more --cutouts")
    return view


def _is_rate(told: float, wanted: float) -> bool:
    return SLOWEST * wanted <= told <= FASTEST * wanted


def _watch(local: LocalService, job: str) -> WatchedTerminal:
    """`./streaks jobs watch` on a terminal of its own."""
    account = read_secrets(local.service.secrets_file).database
    password = account.admin_password.get_secret_value()
    env = {**os.environ, "DA_USER": str(account.admin_username), "DA_PASSWORD": password}
    command = [sys.executable, "-m", "cli", "--server", local.service.url, "jobs", "watch", job]
    return WatchedTerminal(command, env=env, columns=COLUMNS)


def lost_and_double(local: LocalService, job: str, cutouts: int) -> tuple[int, int]:
    """Scores that are owed and not on record; cutouts that are in two shards or have a score too many."""
    found = local.record.jobs.get(job)
    versions = found.versions if found else ()
    held: set[str] = set()
    double = 0
    for shard in local.record.database["shards"].find({"_id.job": job}, {"items.cutout": True}):
        ids = {item["cutout"] for item in shard["items"]}
        double += len(shard["items"]) - len(ids) + len(ids & held)
        held |= ids
    outcomes = local.outcomes(*versions)
    double += sum(len(scores) - 1 for scores in outcomes.values())
    lost = sum(outcomes.get((cutout, v), [None])[0] is None for cutout in held for v in versions)
    progress = local.record.shards.progress(job)
    return lost + len(versions) * (cutouts - len(held)), double + max(0, progress.scored - cutouts)


@contextmanager
def _ended(launch: Callable[[str], "subprocess.Popen[bytes]"]) -> Iterator[Workers]:
    """Workers, none of which outlives the block."""
    workers = Workers(launch)
    try:
        yield workers
    finally:
        workers.stop()


def _say(sentence: str) -> None:
    print(f"  {sentence}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
