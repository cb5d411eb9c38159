"""`python -m bench.backup`: a backup while outcomes are written, its restore, and the memory of both.

A record of cutouts, outcomes and blobs is kept by `./streaks backup` while a writer inserts one outcome after
the other, then put by `./streaks restore` into servers of its own; and again with ten times as much. What the
writer has inserted has to come back without a hole, and memory must not grow with the size.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from bench.verdict import conclude
from cli.local.programs import ROOT
from cli.local.servers import local_servers
from core.settings import Settings
from storage.blobs import sha256_of
from storage.database import Document
from storage.record import Record, open_record
from storage.schema import prepare

AT_ONCE = 10_000
BLOBS_PER_CUTOUT = 0.05
BLOB_BYTES = 6000
MOST_GROWTH = 1.1
WRITER = "written meanwhile"


@dataclass(frozen=True)
class Run:
    """One verb: how long it took, and the most memory that its process had."""

    seconds: float
    peak_mb: float


def main() -> int:
    """Keep and restore two sizes."""
    parser = argparse.ArgumentParser(prog="python -m bench.backup", description=__doc__)
    parser.add_argument("--cutouts", type=int, default=100_000, help="of the larger record")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    small, large = _measure(args.cutouts // 10), _measure(args.cutouts)
    growth = max(large[what].peak_mb / small[what].peak_mb for what in large)
    rates = {what: round(3 * args.cutouts / run.seconds) for what, run in large.items()}
    details: dict[str, object] = {
        "documents": 3 * args.cutouts,
        "seconds": {what: round(run.seconds, 1) for what, run in large.items()},
        "peak_mb": {what: [round(some[what].peak_mb) for some in (small, large)] for what in large},
        "documents_per_s": rates,
    }
    figure = (
        f"{rates['backup']:,} documents/s kept while outcomes are written, {rates['restore']:,}/s restored, "
        f"no hole; {growth:.2f} times the memory for ten times as much, limit {MOST_GROWTH}"
    )
    return conclude("backup", figure, kept=growth <= MOST_GROWTH, details=details, as_json=args.json)


def _measure(cutouts: int) -> dict[str, Run]:
    with tempfile.TemporaryDirectory(prefix="deep-asteroids-backup-") as scratch:
        folder = Path(scratch)
        with local_servers(folder / "here") as servers:
            settings = Settings(mongo_url=SecretStr(servers.mongo_url), state_dir=folder / "here")
            record = open_record(settings)
            try:
                _fill(record, cutouts)
                stop = threading.Event()
                writer = threading.Thread(target=_write, args=[record, stop])
                writer.start()
                try:
                    here = {"DA_MONGO_URL": servers.mongo_url, "DA_STATE_DIR": str(folder / "here")}
                    kept = _run("backup", folder / "backup", here)
                finally:
                    stop.set()
                    writer.join()
            finally:
                record.close()
        with local_servers(folder / "there") as servers:  # beside, so that no memory is theirs
            settings = Settings(mongo_url=SecretStr(servers.mongo_url), state_dir=folder / "there")
            there = {"DA_MONGO_URL": servers.mongo_url, "DA_STATE_DIR": str(folder / "there")}
            restored = _run("restore", folder / "backup", there)
            record = open_record(settings)
            try:
                _check(record, cutouts)
            finally:
                record.close()
    return {"backup": kept, "restore": restored}


def _fill(record: Record, cutouts: int) -> None:
    prepare(record.database)
    record.check_blobs()
    for n in range(int(cutouts * BLOBS_PER_CUTOUT)):
        record.blobs.put(n.to_bytes(8, "big") * (BLOB_BYTES // 8))
    for first in range(0, cutouts, AT_ONCE):
        some = range(first, min(first + AT_ONCE, cutouts))
        names = [sha256_of(n.to_bytes(8, "big")) for n in some]
        record.database["cutouts"].insert_many([{"_id": name, "sha256": name} for name in names])
        record.database["outcomes"].insert_many(
            [_outcome(name, version) for name in names for version in ("rb@1", "sl@1")]
        )


def _outcome(cutout: str, version: str) -> Document:
    return {"_id": {"cutout": cutout, "version": version}, "score": 0.5, "job": "bench", "engine": "none"}


def _write(record: Record, stop: threading.Event) -> None:
    n = 0
    while not stop.is_set():
        record.database["outcomes"].insert_one(_outcome(f"{WRITER} {n}", WRITER) | {"n": n})
        n += 1


def _run(verb: str, folder: Path, env: dict[str, str]) -> Run:
    began = time.monotonic()
    command = [sys.executable, "-m", "cli", verb, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | env, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{verb} ended with {process.returncode}")
    return Run(time.monotonic() - began, usage.ru_maxrss / 1024)


def _check(record: Record, cutouts: int) -> None:
    """Raise RuntimeError unless all is there, and of what was written meanwhile all up to one moment."""
    outcomes = record.database["outcomes"]
    written = sorted(d["n"] for d in outcomes.find({"_id.version": WRITER}, {"n": True}))
    if written != list(range(len(written))):
        raise RuntimeError("what was written meanwhile has a hole")
    if outcomes.count_documents({}) != 2 * cutouts + len(written):
        raise RuntimeError("outcomes are missing")
    print(f"  {cutouts:,} cutouts: {len(written):,} outcomes written meanwhile came back", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
