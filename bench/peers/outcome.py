"""What came of it: a row for each contender, and whether the promises are kept."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np

from bench.peers.contender import Ran, Scores

FLOOR = "bare networks, from memory"
PACKS, FILES = "service, from packs", "service, from files"
OURS = {PACKS: True, FILES: False}
LOOP = "plain loop, predict"
CELERY = "Celery, a task each"
PEERS = {"Ray Data": "ray_batches", "LitServe": "lit_server"}
OF_FLOOR = {PACKS: 0.95, FILES: 0.90}
TIMES_LOOP = 1.8
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Measured:
    """Runs, each one's rate in those of the floor beside it, and the memory that they took at most."""

    ran: Sequence[Ran]
    ratios: Sequence[float]
    peak_mib: int


@dataclass(frozen=True)
class Row:
    """A contender's figures, medians over the rounds.

    Parameters
    ----------
    per_s, each : cutouts/s, and those of each round.
    of_floor, ratios : in the rate of the floor beside it, and those of each round.
    before_s : from the start of a run to what counts of it.
    difference : the largest of any score to that of Keras's `predict`.
    """

    name: str
    engine: str
    per_s: float
    each: list[float]
    of_floor: float
    ratios: list[float]
    before_s: float
    peak_mib: int
    difference: float
    settings: Mapping[str, object]

    def told(self) -> dict[str, object]:
        """As JSON has it."""
        return asdict(self)


def row(
    name: str, engine: str, measured: Measured, settings: Mapping[str, object], *, reference: Scores
) -> Row:
    """A contender's row; `reference` are the scores that its own are held against."""
    rates = [len(ran.scores) / ran.seconds for ran in measured.ran]
    return Row(
        name=name,
        engine=engine,
        per_s=round(median(rates), 1),
        each=[round(rate, 1) for rate in rates],
        of_floor=round(median(measured.ratios), 3),
        ratios=[round(ratio, 3) for ratio in measured.ratios],
        before_s=round(median(ran.before_s for ran in measured.ran), 2),
        peak_mib=measured.peak_mib,
        difference=float(f"{max(float(np.abs(ran.scores - reference).max()) for ran in measured.ran):.2g}"),
        settings=settings,
    )


def judged(rows: Sequence[Row], missing: Sequence[str]) -> tuple[str, bool]:
    """The figures in a sentence, and whether all is kept, which it isn't where a contender is missing."""
    told, kept = [], not missing
    for one in rows:
        if one.name in OF_FLOOR:
            told.append(f"{one.name} {one.of_floor:.3f} of {one.engine} (at least {OF_FLOOR[one.name]:.2f})")
            kept &= one.of_floor >= OF_FLOOR[one.name]
    first = {one.name: one for one in reversed(rows)}  # of several engines, the first is the default
    if LOOP in first:
        times = first[FILES].of_floor / first[LOOP].of_floor
        told.append(f"{times:.2f} times the plain loop (at least {TIMES_LOOP})")
        kept &= times >= TIMES_LOOP
    peers = [first[name] for name in (*PEERS, CELERY) if name in first]
    if peers:
        best = max(peers, key=lambda one: one.of_floor)
        share = best.of_floor / first[FILES].of_floor
        told.append(f"the fastest peer, {best.name}, {share:.3f} of the service from files (at most 1)")
        kept &= share <= 1
    difference = max(one.difference for one in rows)
    told.append(f"scores differ by {difference:.1g} (at most {TOLERANCE:g})")
    kept &= difference <= TOLERANCE
    return "; ".join([*told, *(f"NOT RUN: {one}" for one in missing)]), bool(kept)


def machine() -> dict[str, object]:
    """What all this ran on."""
    words = Path("/proc/cpuinfo").read_text().splitlines()
    lines = dict(line.partition(":")[::2] for line in words if ":" in line)
    found = {key.strip(): value.strip() for key, value in lines.items()}
    flags = set(found.get("flags", "").split())
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return {
        "processor": found.get("model name", platform.processor()),
        "cores": len(os.sched_getaffinity(0)),
        "instructions": [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_tile") if name in flags],
        "memory_gib": round(memory, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
    }
