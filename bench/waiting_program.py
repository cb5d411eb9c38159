"""The worker whose engine only waits, as a program of a service."""

import math
import sys
from pathlib import Path
from typing import Literal

from cli.local.programs import Place
from cli.local.supervisor import Program


def waiting_program(
    place: Place,
    name: str,
    *,
    statements: Path,
    batch: int = 64,
    per_s: float = math.inf,
    scores: Literal["same", "random"] = "same",
) -> Program:
    """`bench.waiting_worker` with this batch and rate, counting what it asks of MongoDB in a folder."""
    told = {"BENCH_BATCH": str(batch), "BENCH_RATE": str(per_s), "BENCH_STATEMENTS": str(statements)}
    told |= {"BENCH_SCORES": scores}
    return Program(name, (sys.executable, "-m", "bench.waiting_worker"), {**place.environment(), **told})
