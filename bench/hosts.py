"""`python -m bench.hosts`: a job scored by two hosts whose links are cut and mended.

The hosts are network namespaces: Redis, MongoDB and the API on one, a worker on each of two others, joined by
invitations; messages, records and blobs come over TLS. First undisturbed. Then one host is cut off for a
moment, the other for longer than a lease while it holds one, and both together. The verdict: every file has
one result and every cutout one outcome per version, with the values of the undisturbed run; a lease was lost
on the way; and each host scored again once it was connected. Needs root and iproute2; without them it says
so and is skipped.
"""

import argparse
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from bench.cutout_files import jpegs, write_zip
from bench.grey_worker import BATCH
from bench.namespaces import ADDRESS, HUB, Network, why_not
from bench.tally import Tally, compare, owed, tally
from bench.verdict import conclude
from cli.client import Client
from cli.connection import local_client
from cli.hosts.admission import Admission
from cli.local import tether
from cli.local.children import Child
from cli.local.interrupts import interrupts
from cli.local.programs import ROOT, Place, service_programs
from cli.local.secrets import ensure_secrets
from cli.local.servers import embedded_mongo
from cli.local.service import Service
from cli.local.supervisor import Program
from cli.multipart import File
from core.errors import ServiceError
from core.service_secrets import Secrets
from core.settings import Settings, load_settings
from storage.record import Record, open_record

HOSTS = ("a", "b")
POLL_S = 0.05
STOP_S = 60.0
SHOWN = 10
SHARD = 16
A_CUT, B_CUT, BOTH_CUT = 1 / 3, 2.5, 1 / 2
"""How long hosts are cut off, in leases."""
WRITTEN = ("jobs", "shards", "cutouts", "outcomes")


def main() -> int:
    """Make the network and run in it; returns 0 when the promise is kept, or when it can't be tried."""
    parser = argparse.ArgumentParser(prog="python -m bench.hosts", description=__doc__)
    parser.add_argument("--cutouts", type=int, default=800)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lease", type=float, default=6.0, help="seconds of a lease")
    parser.add_argument("--batch", type=float, default=0.4, help=f"seconds that a batch of {BATCH} takes")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds for each run")
    parser.add_argument("--json", action="store_true")
    # For the process on the hub: which one has made the network.
    parser.add_argument("--owner", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.cutouts < (fewest := fewest_cutouts(args.lease, args.batch)):
        parser.error(f"{args.cutouts} cutouts are scored before the links are cut; expected {fewest} or more")
    if args.owner is not None:
        return _on_hub(args)
    if (reason := why_not()) is not None:
        print(f"hosts: skipped: {reason}")
        return 0
    hurry = threading.Event()
    with interrupts(on_second=hurry.set), Network(HOSTS) as network:
        again = [sys.executable, "-m", "bench.hosts", *sys.argv[1:], "--owner", str(os.getpid())]
        bound = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid())]  # dies with this process
        inner = subprocess.Popen([*bound, *network.within(HUB, again)], cwd=ROOT)
        try:
            return inner.wait()
        except KeyboardInterrupt:
            inner.terminate()
            raise
        finally:
            _await_end(inner, hurry)


def fewest_cutouts(lease_s: float, batch_s: float) -> int:
    """What one host scores while the other is cut off, and a few shards for the cut of both."""
    return math.ceil((A_CUT + B_CUT) * lease_s * BATCH / batch_s) + 4 * SHARD


def _await_end(process: subprocess.Popen[bytes], hurry: threading.Event) -> None:
    """Return when it has ended; kills it after a minute, or when there is a hurry."""
    deadline = time.monotonic() + STOP_S
    while process.poll() is None:
        if hurry.is_set() or time.monotonic() > deadline:
            process.kill()
        time.sleep(POLL_S)


def _on_hub(args: argparse.Namespace) -> int:
    """Both runs, within the hub's namespace, by the service's defaults but for these settings."""
    for name in [name for name in os.environ if name.startswith("DA_")]:
        del os.environ[name]
    os.environ |= {
        "DA_SCORING__LEASE_S": str(args.lease),
        "DA_SCORING__HEARTBEAT_S": str(args.lease / 4),
        "DA_SCORING__SWEEP_S": str(args.lease / 4),
        "DA_SCORING__SHARD_SIZE": str(SHARD),
        "BENCH_BATCH_S": str(args.batch),
    }
    network = Network(HOSTS, owner=args.owner)
    with interrupts(on_second=lambda: None), tempfile.TemporaryDirectory(prefix="streaks-hosts-") as scratch:
        try:
            return _both_runs(network, Path(scratch), args)
        except (ServiceError, TimeoutError) as error:
            figure = f"{type(error).__name__}: {error}"
            return conclude("hosts", figure, kept=False, details={}, as_json=args.json)


def _both_runs(network: Network, folder: Path, args: argparse.Namespace) -> int:
    archive = write_zip(folder / "night.zip", jpegs(args.cutouts, seed=args.seed))
    with ExitStack() as stack:
        service, settings = stack.enter_context(_service(folder / "service"))
        record = _record(settings)
        stack.callback(record.close)
        for host in HOSTS:
            stack.enter_context(_worker(network, host, service, settings, folder))
        client = local_client(service.url, service.secrets_file)
        calm = _run(client, record, archive, args.timeout)
        for collection in WRITTEN:
            record.database[collection].delete_many({})
        cuts = Cuts(network, record, args.lease)
        rough = _run(client, record, archive, args.timeout, cuts)
        return _conclude(args, calm, rough, cuts, record)


@dataclass(frozen=True)
class Run:
    """What a run came to, how long it took and how much each host has scored."""

    told: Tally
    seconds: float
    scored_by: dict[str, int]


class Cuts:
    """Cuts the links of a job's workers, one after the other, and mends them."""

    def __init__(self, network: Network, record: Record, lease_s: float) -> None:
        self._network, self._record, self._lease_s = network, record, lease_s
        self.made: list[str] = []
        self.idle = 0
        self._mended: dict[str, datetime] = {}

    def make(self, until: float) -> None:
        """Cut host a for a part of a lease, b for more than two while it holds one, both for half of one."""
        self._await("a", until)
        self._cut(("a",), A_CUT)
        self._cut_off_holding("b", until)
        self._cut(("b",), B_CUT)
        self._await("a", until)
        self._cut(HOSTS, BOTH_CUT)

    def back_s(self) -> dict[str, float | None]:
        """Seconds from a host's last mending until it had scored again; None where it never did."""
        outcomes = self._record.database["outcomes"]
        found: dict[str, float | None] = {}
        for host, mended in sorted(self._mended.items()):
            first = outcomes.find_one({"worker": host, "at": {"$gt": mended}}, sort=[("at", 1)])
            found[host] = None if first is None else round((first["at"] - mended).total_seconds(), 1)
        return found

    def _await(self, host: str, until: float) -> None:
        """Return when a host holds a lease, or when no work is left."""
        while not self._holds(host) and self._is_work_left():
            if time.monotonic() > until:
                raise TimeoutError(f"{host} took no shard")
            time.sleep(POLL_S / 5)

    def _cut_off_holding(self, host: str, until: float) -> None:
        """Cut a host off that holds a lease then: what it was closing just now was not in time."""
        while self._is_work_left():
            self._await(host, until)
            self._network.cut(host)
            time.sleep(POLL_S)  # what it had sent has come
            if self._holds(host):
                return
            self._network.mend(host)

    def _cut(self, hosts: Sequence[str], leases: float) -> None:
        seconds = leases * self._lease_s
        self.idle += not self._is_work_left()
        for host in hosts:
            self._network.cut(host)
        time.sleep(seconds)
        for host in hosts:
            self._network.mend(host)
            self._mended[host] = datetime.now(UTC)
        self.made.append(f"{' and '.join(hosts)} for {seconds:.1f} s")

    def _holds(self, host: str) -> bool:
        return self._record.database["shards"].find_one({"state": "leased", "worker": host}) is not None

    def _is_work_left(self) -> bool:
        return self._record.database["shards"].find_one({"state": {"$ne": "done"}}) is not None


@contextmanager
def _service(folder: Path) -> Iterator[tuple[Service, Settings]]:
    """API and sweeper on this namespace's loopback, with servers of their own, and an entrance for hosts."""

    def programs(place: Place, secrets: Secrets) -> Sequence[Program]:
        return [p for p in service_programs(place, secrets) if p.name in ("api", "sweeper")]

    settings = load_settings(state_dir=folder, port=0, flower_port=0, listen=ADDRESS)
    with Service(settings, say=_say, programs=programs) as service:
        yield service, settings


def _record(settings: Settings) -> Record:
    """The record as the service itself sees it."""
    state_dir = settings.state_dir.absolute()
    url = embedded_mongo(state_dir, ensure_secrets(state_dir)).url
    return open_record(settings.model_copy(update={"mongo_url": SecretStr(url)}), patience_s=60.0)


@contextmanager
def _worker(
    network: Network, host: str, service: Service, settings: Settings, folder: Path
) -> Iterator[Child]:
    """A worker on a host, by an invitation of its own."""
    file = folder / f"{host}.invitation"
    with Admission(settings, service.record.gateway) as admission:
        admission.invite(note=host, days=1).write(file)
    command = (sys.executable, "-m", "bench.grey_worker", str(file), str(folder / host))
    env = {name: value for name, value in os.environ.items() if not name.startswith("DA_")}
    env |= {"BENCH_HOST": host, "PYTHONPATH": str(ROOT)}
    child = Child(host, network.within(host, command), log=folder / f"{host}.log", env=env)
    try:
        yield child
    finally:
        if not child.alive:
            _say(f"the worker on {host} ended: {child.said()}")
        child.stop(STOP_S / 4)


def _run(client: Client, record: Record, archive: Path, timeout_s: float, cuts: Cuts | None = None) -> Run:
    """Score an archive, while links are cut if so wanted; raises TimeoutError."""
    began = time.monotonic()
    job = str(client.jobs.submit_files([File(archive.name, archive)], priority="bulk")["job"])
    if cuts is not None:
        cuts.make(began + timeout_s)
    while client.jobs.get(job)["state"] != "finished":
        if time.monotonic() > began + timeout_s:
            raise TimeoutError(f"job {job} has not ended in {timeout_s:.0f} s: {client.jobs.get(job)}")
        time.sleep(POLL_S)
    seconds = time.monotonic() - began
    by = Counter(document["worker"] for document in record.database["outcomes"].find({}, {"worker": True}))
    return Run(tally(record, client, [job]), seconds, dict(sorted(by.items())))


def _conclude(args: argparse.Namespace, calm: Run, rough: Run, cuts: Cuts, record: Record) -> int:
    found = compare(calm.told, rough.told)
    files = [[f"{n:06d}.jpg" for n in range(args.cutouts)]]
    lost = found.lost + owed(calm.told, files, record.models.production())
    again = record.database["shards"].count_documents({"attempts": {"$gt": 1}})
    back = cuts.back_s()
    missed = _untried(cuts, again, back)
    kept = not (lost or found.double or found.different or missed)
    details: dict[str, object] = {
        "cutouts": args.cutouts,
        "cut off": "; ".join(cuts.made),
        "cuts when no work was left": cuts.idle,
        "shards claimed again": again,
        "seconds until a host scored again": back,
        "outcomes by host, undisturbed": calm.scored_by,
        "outcomes by host, disturbed": rough.scored_by,
        "seconds undisturbed": round(calm.seconds, 1),
        "seconds disturbed": round(rough.seconds, 1),
    }
    details |= {name: examples[:SHOWN] for name, examples in vars(found).items() if examples}
    figure = (
        f"{len(cuts.made)} cuts, {again} shards claimed again: {len(lost)} lost, {len(found.double)} double, "
        f"{len(found.different)} different"
    )
    figure = "; ".join([figure, *missed])
    return conclude("hosts", figure, kept=kept, details=details, as_json=args.json)


def _untried(cuts: Cuts, again: int, back: Mapping[str, float | None]) -> list[str]:
    """What a run was to try and did not come to."""
    missed = [f"{host} scored nothing once it was connected again" for host, s in back.items() if s is None]
    if cuts.idle:
        missed.append(f"no work was left at {cuts.idle} of the cuts")
    if not again:
        missed.append("no lease was lost")
    return missed


def _say(sentence: str) -> None:
    print(f"  {sentence}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
