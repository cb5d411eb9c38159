"""What a backlog costs, computed: engines add up until the record has no core left."""

from pathlib import Path

import pytest

from bench.cost import Cost, cost, printed


def computed(gpus: int, *, engine_per_s: float = 1000.0) -> Cost:
    return cost(gpus, 3_600_000, engine_per_s=engine_per_s, record_us=50.0, worker_us=40.0, record_cores=0.2)


def test_engines_add_up_until_the_record_has_no_core_left() -> None:
    assert [(one.per_s, one.limit, round(one.hours, 3)) for one in map(computed, (1, 4, 8))] == [
        (1000.0, "engines", 1.0),
        (4000.0, "engines", 0.25),
        (4000.0, "record", 0.25),
    ]
    assert computed(8).gpu_hours == pytest.approx(2.0)
    assert (computed(4).record_cores, computed(4).worker_cores) == pytest.approx((0.2, 0.16))


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="expected numbers above 0"):
        computed(1, engine_per_s=0.0)


def test_an_output_without_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "control.txt").write_text('  cutouts: 1\n{"bench": "control"}\ncontrol: kept\n')
    assert printed(tmp_path / "control.txt") == {"bench": "control"}
    (tmp_path / "control.txt").write_text("control: 7 cutouts/s: kept\n")
    with pytest.raises(ValueError, match="no JSON object"):
        printed(tmp_path / "control.txt")
