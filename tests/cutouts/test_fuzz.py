"""Whatever is done to a file, who reads it refuses it in words or reads it: no other error comes of it.

A few examples, the same in each run; `python -m bench.fuzz --minutes 10` takes others for as long as wanted.
"""

import pytest
from hypothesis import HealthCheck, given, settings

from bench.fuzz_targets import TARGETS, Target


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_a_damaged_file_is_read_or_refused(target: Target) -> None:
    target.read(target.seeds()[0])  # as it is it can be read

    @settings(
        max_examples=60,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(data=target.damaged())
    def ask(data: bytes) -> None:
        target.ask(data)

    ask()
