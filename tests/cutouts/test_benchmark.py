"""The standing benchmarks, which no training can read."""

import pytest

from cutouts.benchmark import STANDING, reserved
from cutouts.simulator import seeds_of


@pytest.mark.parametrize("classifier", STANDING)
def test_a_benchmark_is_a_whole_preset_of_one_seed(classifier: str) -> None:
    standing = STANDING[classifier]
    drawn = seeds_of(standing.preset, count=standing.count, seed=standing.seed)
    assert len(set(drawn)) == standing.count
    assert set(drawn) <= reserved()
