"""`python -m bench.scaling`: what a cutout costs in a backlog of a thousand and in one of a million.

Cutouts are written straight to the record and then scored by the whole service: asked for at the API,
planned, dispatched, claimed, put on record with production fields, closed, by real servers and Celery workers
whose engines and readers only pretend and whose scores are random. A job takes nights of 25,000 cutouts. Each
size has a service of its own, which has scored a thousand before; small ones are repeated. Then ten thousand
more are scored, as often, beside the largest. At each size results are read by HTTP and by the command line.

The verdict: CPU and wall for each cutout of the largest size are at most 1.15 times those of ten thousand, so
is the CPU of a row that is read, and what is stored adds at most 10 % to the CPU of ten thousand.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from statistics import median

from bench.cutout_files import another, jpegs
from bench.job_cost import JobCost, job_cost
from bench.local_service import LocalService, local_service
from bench.planning import fill
from bench.process_tree import peak_mib, process_tree
from bench.read_cost import ReadCost, read_cost
from bench.verdict import conclude
from bench.waiting_program import waiting_program
from cli.client import Client
from cli.connection import local_client
from cli.local.programs import Place, service_programs
from cli.local.supervisor import Program
from cli.multipart import File
from core.service_secrets import Secrets

SIZES = (1_000, 10_000, 100_000, 1_000_000)
BASE = 10_000
"""The smallest size that its start does not dominate; and how many are scored beside what is stored."""
REPEATED = 5
NIGHT = 25_000
"""Cutouts of a night: the survey has tens of thousands."""
FIRST_NIGHT = date(2018, 11, 1)
GROWTH, STORED_GROWTH = 1.15, 1.10
WARMING = 1_000
UPLOADS = 20


@dataclass(frozen=True)
class Measured:
    """A service and the jobs of one size.

    Parameters
    ----------
    beside : of jobs of BASE cutouts, when those of the size are stored; None where they were not asked for.
    upload_ms : from the request to the answer 202 for one uploaded cutout.
    peak_mib : peak memory of each program.
    """

    job: JobCost
    reading: ReadCost
    beside: JobCost | None
    upload_ms: float
    peak_mib: dict[str, int]


def main() -> int:
    """Measure every size; returns 0 when the promises are kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.scaling", description=__doc__)
    parser.add_argument("--cutouts", type=int, default=SIZES[-1], help="of the largest size")
    parser.add_argument("--night", type=int, default=NIGHT, help="cutouts of a night at most")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.cutouts <= BASE:
        parser.error(f"--cutouts {args.cutouts:,}; expected more than {BASE:,}, which it is compared with")
    sizes = [size for size in SIZES if size < args.cutouts] + [args.cutouts]
    found: dict[int, Measured] = {}
    for size in sizes:
        found[size] = _measured(size, night=args.night, workers=args.workers, beside=size == sizes[-1])
        print(f"  {size:,}: {asdict(found[size])}", file=sys.stderr)
    base, largest = found[BASE], found[sizes[-1]]
    grown = {
        "CPU": largest.job.cpu_sum_us / base.job.cpu_sum_us,
        "wall": largest.job.wall_us / base.job.wall_us,
        "CPU of a row read": largest.reading.row_cpu_us / base.reading.row_cpu_us,
    }
    beside = (largest.beside or largest.job).cpu_sum_us / base.job.cpu_sum_us
    figure = (
        f"{largest.job.cutouts:,} cutouts against {BASE:,}: "
        + ", ".join(f"{name} {ratio:.2f}" for name, ratio in grown.items())
        + f" times for each (at most {GROWTH}); {BASE:,} beside those stored: CPU {beside:.2f} times "
        f"(at most {STORED_GROWTH:.2f})"
    )
    return conclude(
        "scaling",
        figure,
        kept=max(grown.values()) <= GROWTH and beside <= STORED_GROWTH,
        details={f"{size:,}": _told(measured) for size, measured in found.items()},
        as_json=args.json,
    )


def _measured(size: int, *, night: int, workers: int, beside: bool) -> Measured:
    with tempfile.TemporaryDirectory(prefix="deep-asteroids-scaling-") as scratch:
        folder = Path(scratch)

        def programs(place: Place, secrets: Secrets) -> Sequence[Program]:
            ours = [p for p in service_programs(place, secrets) if p.name in ("api", "sweeper")]
            names = [f"worker {n}" for n in range(1, workers + 1)]
            return [*ours, *(waiting_program(place, n, statements=folder, scores="random") for n in names)]

        with local_service(folder / "service", programs=programs) as local:
            local.record.models.register_shipped("light")
            return _measured_in(local, size, folder, night=night, beside=beside)


def _measured_in(local: LocalService, size: int, folder: Path, *, night: int, beside: bool) -> Measured:
    client = local_client(local.service.url, local.service.secrets_file)
    jobs = _Jobs(local, client, night)
    jobs.score(WARMING)
    job = jobs.score(size, times=REPEATED if size <= BASE else 1)
    reading = read_cost(local, client.jobs.newest(1)[0]["id"], size, folder=folder)
    stored = jobs.score(BASE, times=REPEATED) if beside else None
    upload_ms = _upload_ms(client, folder)
    peaks = {name: sum(map(peak_mib, process_tree(pid))) for name, pid in local.programs().items()}
    return Measured(job, reading, stored, upload_ms, peaks)


class _Jobs:
    """Jobs of fresh cutouts, one after the other, each of as many nights as the survey takes for them."""

    def __init__(self, local: LocalService, client: Client, night: int) -> None:
        self._local, self._client, self._night = local, client, night
        self._next = FIRST_NIGHT

    def score(self, count: int, *, times: int = 1) -> JobCost:
        """What the next jobs, of so many cutouts each, cost."""
        return job_cost(self._local, self._client, [self._filled(count) for _ in range(times)], count)

    def _filled(self, count: int) -> list[str]:
        nights = []
        for start in range(0, count, self._night):
            nights.append(f"{self._next:%Y%m%d}")
            fill(self._local.record, min(self._night, count - start), night=nights[-1])
            self._next += timedelta(days=1)
        return nights


def _upload_ms(client: Client, folder: Path) -> float:
    """The median answer to an uploaded cutout that is new."""
    [(name, jpeg)] = jpegs(1, seed=1)
    file, took = folder / name, []
    for n in range(UPLOADS):
        file.write_bytes(another(jpeg, n))
        began = time.monotonic()
        client.jobs.submit_files([File(name, file)])
        took.append(1e3 * (time.monotonic() - began))
    return round(median(took), 1)


def _told(measured: Measured) -> dict[str, object]:
    """As the report has it."""
    beside = None if measured.beside is None else measured.beside.told()
    return asdict(measured) | {"job": measured.job.told(), "beside": beside}


if __name__ == "__main__":
    sys.exit(main())
