"""The standing benchmark: the simulated cutouts that versions are compared on, and that no training reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from cutouts.simulator import Kind, seeds_of


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A preset's cutouts, drawn from one seed for good."""

    preset: str
    seed: int
    count: int


STANDING: Mapping[str, Benchmark] = MappingProxyType(
    {
        "rb": Benchmark("rb-2018.9", seed=2018, count=6000),
        "sl": Benchmark("sl-2018.9", seed=2018, count=2479),
    }
)
"""By classifier. What a changed simulator draws has another fingerprint, and is then another test set."""


@cache
def reserved() -> frozenset[tuple[Kind, int]]:
    """Kind and seed of every cutout of every standing benchmark, whichever classifier it is for."""
    return frozenset(
        item for b in STANDING.values() for item in seeds_of(b.preset, count=b.count, seed=b.seed)
    )
