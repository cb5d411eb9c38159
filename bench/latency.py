"""`python -m bench.latency`: how soon a single live cutout has its scores while a backlog is worked on.

A bulk job is uploaded; then cutouts are uploaded one by one, each when the one before has its result. The
time counts from the answer 202 to the result, both as a client sees them. The verdict: p95 is under a second
and two batches of the backlog, as long as these take here.

With `--idle` there is no backlog: p50 from the request to the scores in MongoDB is under twice what the
networks alone take for one cutout, and 25 ms. With `--load N` single cutouts come N a second, whether or not
those before have their scores.
"""

import argparse
import statistics
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

from bench.cutout_files import jpegs, write_zip
from bench.idle import measure_idle
from bench.live_load import measure_load, others
from bench.local_service import LocalService, local_service
from bench.verdict import conclude
from cli.client import Client
from cli.connection import local_client
from cli.multipart import File
from storage.database import Document

LIMIT_S = 1.0
FEWEST = 20
POLL_S = 0.01
TIMEOUT_S = 120.0
GOING_S = 300.0


def main() -> int:
    """Measure; returns 0 when the promise is kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.latency", description=__doc__)
    parser.add_argument("--backlog", type=int, default=6000, help="cutouts of the bulk job")
    parser.add_argument("--live", type=int, default=100, help="single cutouts, at most")
    parser.add_argument("--idle", action="store_true", help="without a backlog, against the networks alone")
    parser.add_argument("--load", type=float, metavar="N", help="submissions a second, without a backlog")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="deep-asteroids-latency-") as scratch:
        folder = Path(scratch)
        if args.load is not None:
            [(_, jpeg)] = jpegs(1, seed=args.seed)
            singles = others(jpeg, folder, args.live)
            return measure_load(folder, singles, per_s=args.load, as_json=args.json)
        bulk = 0 if args.idle else args.backlog
        cutouts = jpegs(bulk + args.live, seed=args.seed)
        backlog = write_zip(folder / "backlog.zip", cutouts[:bulk])
        singles = []
        for name, data in cutouts[bulk:]:
            singles.append(folder / name)
            singles[-1].write_bytes(data)
        if args.idle:
            return measure_idle(folder, singles, as_json=args.json)
        with local_service(folder / "service") as local:
            return _measure(local, backlog, singles, as_json=args.json)


def _measure(local: LocalService, backlog: Path, singles: list[Path], *, as_json: bool) -> int:
    client = local_client(local.service.url, local.service.secrets_file)
    bulk = str(client.jobs.submit_files([File(backlog.name, backlog)], priority="bulk")["job"])
    _await_outcomes(local, bulk)
    accepted_s, waited_s = [], []
    for single in singles:
        began = time.monotonic()
        job = str(client.jobs.submit_files([File(single.name, single)])["job"])
        accepted = time.monotonic()
        _await_result(client, job)
        scored = time.monotonic()
        if client.jobs.get(bulk)["shards_open"] == 0:
            break
        accepted_s.append(accepted - began)
        waited_s.append(scored - accepted)
    if len(waited_s) < FEWEST:
        figure = (
            f"only {len(waited_s)} live cutouts before the backlog was done, expected {FEWEST}: --backlog"
        )
        return conclude("latency", figure, kept=False, details={}, as_json=as_json)
    batch_s = _batch_s(local, bulk)
    p95 = float(np.percentile(waited_s, 95))
    limit = LIMIT_S + 2 * batch_s
    details: dict[str, object] = {
        "live cutouts": len(waited_s),
        "seconds to the result": _spread(waited_s),
        "seconds to the answer 202, before that": _spread(accepted_s),
        "seconds of a batch of the backlog": round(batch_s, 3),
    }
    figure = f"p95 {p95:.3f} s from accepted to scored, at most 1 s and two batches, {limit:.3f} s"
    return conclude("latency", figure, kept=p95 < limit, details=details, as_json=as_json)


def _await_outcomes(local: LocalService, job: str) -> None:
    """Return when the first outcomes of a job are on record."""
    deadline = time.monotonic() + GOING_S
    while local.record.database["outcomes"].find_one({"job": job}) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"job {job} has no outcome after {GOING_S:.0f} s")
        time.sleep(POLL_S)


def _await_result(client: Client, job: str) -> None:
    """Return when the one cutout of a job has its result; raises TimeoutError."""
    deadline = time.monotonic() + TIMEOUT_S
    while next(client.jobs.results(job), None) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"job {job} has no result after {TIMEOUT_S:.0f} s")
        time.sleep(POLL_S)


def _batch_s(local: LocalService, job: str) -> float:
    """The median time between two batches of a shard of a job, by when their outcomes were written."""
    stages: list[Document] = [
        {"$match": {"job": job}},
        {"$group": {"_id": {"shard": "$shard", "at": "$at"}}},
        {"$sort": {"_id.shard": 1, "_id.at": 1}},
    ]
    written = [document["_id"] for document in local.record.database["outcomes"].aggregate(stages)]
    gaps_s = [
        (later["at"] - earlier["at"]).total_seconds()
        for earlier, later in pairwise(written)
        if earlier["shard"] == later["shard"]
    ]
    return float(statistics.median(gaps_s))


def _spread(seconds: list[float]) -> dict[str, float]:
    p50, p95 = (float(value) for value in np.percentile(seconds, [50, 95]))
    return {"p50": round(p50, 3), "p95": round(p95, 3), "max": round(max(seconds), 3)}


if __name__ == "__main__":
    sys.exit(main())
