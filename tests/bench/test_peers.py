"""The comparison with peers: what is promised of it, and what is written of it."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.peers.contender import Ran
from bench.peers.environment import installed
from bench.peers.outcome import CELERY, FILES, FLOOR, LOOP, PACKS, Measured, Row, judged, row
from bench.peers.report import BEGIN, END, main
from bench.verdict import conclude
from core.svg import BLUE, GREEN, GREY, ORANGE

SCORES = np.array([[0.1, 0.9], [0.5, 0.5]])


def found(name: str, of_floor: float, *, off: float = 0.0) -> Row:
    ran = [Ran(0.02, 1.5, SCORES + off)]
    return row(name, "openvino-1", Measured(ran, [of_floor], 512), {"writes": "each"}, reference=SCORES)


def rows(**changed: float) -> list[Row]:
    of_floor = {PACKS: 0.97, FILES: 0.92, LOOP: 0.4, CELERY: 0.7} | changed
    return [found(FLOOR, 1.0), *(found(name, ratio) for name, ratio in of_floor.items())]


def test_a_row_holds_medians_and_the_largest_difference() -> None:
    one = found(PACKS, 0.97, off=-3e-5)
    assert (one.per_s, one.before_s, one.peak_mib) == (100.0, 1.5, 512)
    assert one.difference == pytest.approx(3e-5)


def test_all_promises_are_kept_together() -> None:
    figure, kept = judged(rows(), [])
    assert kept
    assert "2.30 times the plain loop" in figure
    assert "Celery, a task each, 0.761 of the service from files" in figure


@pytest.mark.parametrize("missed", [{PACKS: 0.94}, {FILES: 0.89}, {LOOP: 0.6}, {CELERY: 0.93}])
def test_one_that_is_missed_is_enough(missed: dict[str, float]) -> None:
    assert not judged(rows(**missed), [])[1]


def test_scores_that_differ_miss_it() -> None:
    assert not judged([*rows(), found("Ray Data", 0.5, off=2e-4)], [])[1]


def test_a_peer_that_is_not_installed_is_named_and_nothing_is_kept(tmp_path: Path) -> None:
    assert installed(tmp_path / "none", install=False) is None
    figure, kept = judged(rows(), ["LitServe: not installed in .state"])
    assert not kept
    assert "NOT RUN: LitServe" in figure


def test_the_report_puts_table_and_plot_where_they_belong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = {"processor": "P", "instructions": ["avx2"], "cores": 2, "memory_gib": 4.0, "python": "3.11.7"}
    details: dict[str, object] = {
        "machine": machine | {"system": "Linux-6-x86_64-with-glibc2.36"},
        "cutouts": 2,
        "rounds": 1,
        "networks": ["rb@3", "sl@2"],
        "precision": "float32",
        "contenders": [one.told() for one in rows()],
        "missing": ["LitServe: not installed in .state"],
    }
    conclude("peers", "figure", kept=True, details=details, as_json=True)
    (tmp_path / "out").write_text(capsys.readouterr().out)
    (tmp_path / "performance.md").write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    monkeypatch.setattr(sys, "argv", ["report", str(tmp_path / "out"), "--docs", str(tmp_path)])
    assert main() == 0
    page = (tmp_path / "performance.md").read_text()
    assert page.startswith("before\n")
    assert page.endswith(f"{END}\nafter\n")
    assert "old" not in page
    assert "| service, from packs | openvino-1 | 100.0 | **0.970** (0.970) | 1.50 | 512 | 0e+00 |" in page
    assert "Not run: LitServe" in page
    plot = (tmp_path / "peers.svg").read_text()
    assert [plot.count(f'fill="{colour}"') for colour in (GREY, BLUE, ORANGE, GREEN)] == [1, 2, 1, 1]
    json.loads((tmp_path / "out").read_text().splitlines()[0])
