"""How soon single cutouts are scored while many come each second."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from bench.await_that import await_that
from bench.cutout_files import another
from bench.local_service import LocalService, local_service
from bench.verdict import conclude
from cli.client import Client
from cli.connection import local_client
from cli.multipart import File

SUBMITTERS = 16
PATIENCE_S = 300.0


def measure_load(folder: Path, singles: list[Path], *, per_s: float, as_json: bool) -> int:
    """Submit each cutout as a job of its own, so many a second; nothing is promised of how soon each is done.

    The time counts from when a request was due to the close of its shard, by the clock of this machine.
    """
    os.environ["DA_SCORING__GRAPHS_DIR"] = str(folder / "graphs")
    with local_service(folder / "service") as local:
        clients = _Clients(local)
        clients.submit(singles[0])  # what is loaded by the first one is no load
        began = time.time() + 1.0
        with ThreadPoolExecutor(SUBMITTERS) as threads:
            due = [began + n / per_s for n in range(len(singles))]
            cpu_s = local.cpu_s()
            jobs = list(threads.map(clients.submit_when, singles, due))
        shards = local.record.database["shards"]
        wanted = {"_id.job": {"$in": jobs}, "state": "done"}
        await_that(lambda: shards.count_documents(wanted) == len(jobs), "a score", patience_s=PATIENCE_S)
        cpu = {name: used - cpu_s[name] for name, used in local.cpu_s().items()}
        closed = {d["_id"]["job"]: d["closed"].timestamp() for d in shards.find(wanted)}
    waited_s = [closed[job] - at for job, at in zip(jobs, due, strict=True)]
    p50, p95 = (float(value) for value in np.percentile(waited_s, [50, 95]))
    rate = len(jobs) / (max(closed.values()) - began)
    details: dict[str, object] = {
        "submissions": len(jobs),
        "submissions/s": per_s,
        "scored/s": round(rate, 1),
        "ms to the shard's close, p50 and p95": [round(1000 * p50, 1), round(1000 * p95, 1)],
        "ms of CPU for each": {name: round(1000 * used / len(jobs), 1) for name, used in cpu.items()},
    }
    figure = f"{per_s:g} submissions/s: p50 {1000 * p50:.0f} ms, p95 {1000 * p95:.0f} ms, {rate:.1f} scored/s"
    return conclude("latency, load", figure, kept=None, details=details, as_json=as_json)


class _Clients:
    """A client for each thread that submits."""

    def __init__(self, local: LocalService) -> None:
        self._local, self._own = local, threading.local()

    def submit(self, single: Path) -> str:
        """The job of one cutout."""
        client: Client | None = getattr(self._own, "client", None)
        if client is None:
            client = self._own.client = local_client(
                self._local.service.url, self._local.service.secrets_file
            )
        return str(client.jobs.submit_files([File(single.name, single)])["job"])

    def submit_when(self, single: Path, due: float) -> str:
        """The same, at this time."""
        time.sleep(max(0.0, due - time.time()))
        return self.submit(single)


def others(jpeg: bytes, folder: Path, count: int) -> list[Path]:
    """Files of the same picture in other bytes each."""
    found = [folder / f"{n:06d}.jpg" for n in range(count)]
    for n, path in enumerate(found):
        path.write_bytes(another(jpeg, n))
    return found
