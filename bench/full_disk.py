"""`python -m bench.full_disk`: a backlog while the disk of the whole service is full for a while.

Everything is on one small tmpfs: MongoDB's and Redis' data, blobs, logs. Two workers whose engine only waits
score; then the last byte of the disk is taken, and later given back. A server that ended is started again, as
`up` does. A job is submitted while it is full. The verdict: jobs that were accepted end, and every cutout has
one outcome by each version.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from bench.elastic import lost_and_double
from bench.local_service import LocalService, local_service
from bench.planning import fill as fill_record
from bench.small_disk import fill, small_disk
from bench.verdict import conclude
from bench.waiting_program import waiting_program
from cli.connection import local_client
from cli.local.embedded import EmbeddedServer
from cli.local.programs import Place, service_programs
from cli.local.supervisor import Program
from core.errors import ServiceError
from core.service_secrets import Secrets

DISK_KIB = 900 * 1024  # MongoDB sets some 300 MB aside
RATE = 250.0
TIMEOUT_S = 300.0


def main() -> int:
    """Run it; returns 0 when nothing was lost."""
    parser = argparse.ArgumentParser(prog="python -m bench.full_disk", description=__doc__)
    parser.add_argument("--cutouts", type=int, default=12_000)
    parser.add_argument("--seconds", type=float, default=20.0, help="that the disk is full")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    os.environ["DA_SCORING__SHARD_SIZE"] = str(round(RATE))
    with tempfile.TemporaryDirectory() as scratch, small_disk(Path(scratch) / "disk", kib=DISK_KIB) as disk:

        def programs(place: Place, secrets: Secrets) -> Sequence[Program]:
            ours = [p for p in service_programs(place, secrets) if p.name in ("api", "sweeper")]
            workers = [
                waiting_program(place, f"worker {n}", batch=32, per_s=RATE, statements=Path(scratch))
                for n in range(2)
            ]
            return [*ours, *workers]

        with local_service(disk / "service", programs=programs) as local:
            watching = threading.Thread(target=local.service.wait, name="service", daemon=True)
            watching.start()
            return _measure(local, disk, args)


def _measure(local: LocalService, disk: Path, args: argparse.Namespace) -> int:
    fill_record(local.record, args.cutouts)
    local.record.models.register_shipped("light")
    client = local_client(local.service.url, local.service.secrets_file)
    job = str(client.jobs.submit_rescoring({})["job"])
    while client.jobs.get(job)["scored"] < args.cutouts / 6:
        time.sleep(0.5)
    filler = fill(disk)
    print("  the disk is full", file=sys.stderr)
    full_until = time.monotonic() + args.seconds
    jobs, told = [job], "accepted, 202"
    try:
        jobs.append(str(client.jobs.submit_rescoring({"all": True})["job"]))
    except ServiceError as error:
        told = str(error)
    time.sleep(max(0.0, full_until - time.monotonic()))
    filler.unlink()
    servers: tuple[EmbeddedServer, ...] = (local.servers.redis, local.servers.mongo)
    ended = [s.name for s in servers if s.process is not None and not s.process.alive]
    for server in servers:
        server.start()
    freed = time.monotonic()
    broken = [promised for promised in jobs if local.record.jobs.get(promised) is None]
    counts = []
    for kept in (promised for promised in jobs if promised not in broken):
        local.wait(kept, timeout_s=TIMEOUT_S)
        counts.append(lost_and_double(local, kept, args.cutouts))
    took_s = time.monotonic() - freed
    lost, double = sum(count[0] for count in counts), sum(count[1] for count in counts)
    details: dict[str, object] = {
        "cutouts": args.cutouts,
        "seconds full": args.seconds,
        "a caller was told": told,
    }
    details |= {"servers that ended": ", ".join(ended) or "none", "seconds to the end, freed": round(took_s)}
    return conclude(
        "full disk",
        f"{lost} lost, {double} double, {len(broken)} of {len(jobs)} promised jobs not on record",
        kept=lost == 0 and double == 0 and not broken,
        details=details,
        as_json=args.json,
    )


if __name__ == "__main__":
    sys.exit(main())
