"""`python -m bench.cost`: what a backlog costs on several GPUs, computed from what was measured.

Measured are the CPU that a cutout costs MongoDB and its worker (what `bench.control --json` printed) and
the bytes that it takes (what `bench.footprint --json` printed). Assumed is the rate of a GPU, by `--engine`.
Computed is the rest: the engines' rates add up until MongoDB's primary has no core left, which is as far as
one replica set goes. Nothing is run.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.verdict import conclude

KINDS = ("candidate", "production")
GPUS = (1, 8, 64)
CUTOUTS = 7_000_000
RECORD_CORES = 16.0


@dataclass(frozen=True)
class Cost:
    """A backlog on so many GPUs. Cores are those kept busy, of MongoDB's host and of all workers' hosts."""

    gpus: int
    per_s: float
    hours: float
    gpu_hours: float
    record_cores: float
    worker_cores: float
    limit: str


def cost(
    gpus: int, cutouts: int, *, engine_per_s: float, record_us: float, worker_us: float, record_cores: float
) -> Cost:
    """What so many cutouts cost on so many GPUs; the CPU of MongoDB and of a worker is for each cutout.

    Raises ValueError for a rate, a CPU or a number of cores that is not above 0.
    """
    if min(engine_per_s, record_us, worker_us, record_cores, gpus, cutouts) <= 0:
        raise ValueError("rates, CPU, cores, GPUs and cutouts; expected numbers above 0")
    engines, record = gpus * engine_per_s, 1e6 * record_cores / record_us
    per_s = min(engines, record)
    hours = cutouts / per_s / 3600
    return Cost(
        gpus,
        per_s,
        hours,
        gpus * hours,
        record_us * per_s / 1e6,
        worker_us * per_s / 1e6,
        "engines" if engines <= record else "record",
    )


def main() -> int:
    """Compute and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.cost", description=__doc__)
    parser.add_argument("--control", type=Path, required=True, help="what bench.control --json printed")
    parser.add_argument("--footprint", type=Path, required=True, help="what bench.footprint --json printed")
    parser.add_argument("--engine", type=float, required=True, help="cutouts/s of one GPU by all networks")
    parser.add_argument("--gpus", type=int, nargs="+", default=GPUS)
    parser.add_argument("--cutouts", type=int, default=CUTOUTS)
    parser.add_argument("--record-cores", type=float, default=RECORD_CORES, help="of MongoDB's primary")
    parser.add_argument("--price", type=float, help="of a GPU for an hour")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    try:
        measured = {kind: _cpu_us(printed(args.control), kind) for kind in KINDS}
        each = int(printed(args.footprint)["bytes_per_cutout"])
        costs = {
            kind: [
                cost(
                    gpus,
                    args.cutouts,
                    engine_per_s=args.engine,
                    record_us=record_us,
                    worker_us=worker_us,
                    record_cores=args.record_cores,
                )
                for gpus in args.gpus
            ]
            for kind, (record_us, worker_us) in measured.items()
        }
    except ValueError as error:
        parser.error(str(error))
    details: dict[str, object] = {"assumed": f"{args.engine:,.0f} cutouts/s by one GPU"}
    for kind, (record_us, worker_us) in measured.items():
        details[f"measured, {kind}"] = (
            f"{record_us:.1f} us of MongoDB's CPU and {worker_us:.1f} of the worker's for each cutout"
        )
    details["computed, GB in MongoDB"] = round(args.cutouts * each / 1e9, 1)
    for kind, found in costs.items():
        for one in found:
            details[f"computed, {kind}, {one.gpus} GPUs"] = _told(one, args.price)
    told = ", ".join(f"{60 * one.hours:.1f} min on {one.gpus}" for one in costs["production"])
    figure = f"computed for {args.cutouts:,} cutouts with production fields: {told} GPUs"
    return conclude("cost", figure, kept=None, details=details, as_json=args.json)


def printed(path: Path) -> dict[str, Any]:
    """The JSON object of a benchmark's output; raises ValueError where there is none."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    objects = [line for line in lines if line.startswith("{")]
    if not objects:
        raise ValueError(f"{path} holds no JSON object; expected what a benchmark prints with --json")
    found: dict[str, Any] = json.loads(objects[0])
    return found


def _cpu_us(control: dict[str, Any], kind: str) -> tuple[float, float]:
    """Microseconds of MongoDB's CPU and of the workers', for each cutout."""
    try:
        cpu = control[f"{kind}, cpu_us"]
        workers = sum(used for name, used in cpu.items() if name.startswith("worker"))
        return float(cpu["mongo"]), float(workers)
    except KeyError as error:
        raise ValueError(f"no {error} there; expected what bench.control --json prints") from error


def _told(one: Cost, price: float | None) -> str:
    money = "" if price is None else f", {one.gpu_hours * price:,.2f} at {price} for a GPU and hour"
    return (
        f"{one.per_s:,.0f}/s by the {one.limit}, {60 * one.hours:.1f} min, "
        f"{one.gpu_hours:.2f} GPU hours{money}; "
        f"{one.record_cores:.1f} cores of MongoDB, {one.worker_cores:.1f} of the workers"
    )


if __name__ == "__main__":
    sys.exit(main())
