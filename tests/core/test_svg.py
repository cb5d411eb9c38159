"""Charts: where values lie, and what is drawn."""

import xml.etree.ElementTree as ET

import pytest

from core.svg import BLUE, Axis, Cells, Chart, Dots, Line, render

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("axis", "ticks"),
    [
        (Axis("", 0, 1), [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (Axis("", 0.6, 1), [0.6, 0.7, 0.8, 0.9, 1]),
        (Axis("", 0, 157), [0, 50, 100, 150]),
        (Axis("", 1e-3, 1, log=True), [1e-3, 1e-2, 1e-1, 1]),
        (Axis("", 1.5, 60, log=True), [2, 5, 10, 20, 50]),
    ],
)
def test_ticks_are_round(axis: Axis, ticks: list[float]) -> None:
    assert axis.ticks() == pytest.approx(ticks)


def test_values_lie_where_the_axis_says() -> None:
    assert Axis("", 0, 10).at(2.5) == 0.25
    assert Axis("", 0.01, 1, log=True).at(0.1) == pytest.approx(0.5)
    assert Axis("", 0.01, 1, log=True).at(0) == 0
    assert Axis("", 0, 1).at(7) == 1


def test_a_dot_s_interval_and_words_are_drawn() -> None:
    chart = Chart(
        "t",
        Axis("x", 0, 1),
        Axis("y", 0, 1),
        [Dots("d", [(0.5, 0.5)], BLUE, [(0.25, 0.75)], ["3 of 6"]), Line("", [], BLUE)],
    )
    root = ET.fromstring(render(chart))
    (circle,) = [c for c in root.iter(f"{SVG}circle") if c.find(f"{SVG}title") is not None]
    assert circle.findtext(f"{SVG}title") == "3 of 6"
    assert float(circle.get("cx", "0")) == (76 + 620) / 2


def test_a_cell_is_drawn_where_its_values_are_and_the_denser_the_more_it_holds() -> None:
    chart = Chart("t", Axis("x", 0, 1), Axis("y", 0, 1), [Cells("", [[0, 1], [1000, 10]], BLUE)])
    root = ET.fromstring(render(chart, alone=False))
    cells = {cell.findtext(f"{SVG}title"): cell for cell in root.iter(f"{SVG}rect")}
    assert list(cells) == ["1", "1,000", "10"]
    assert float(cells["1"].get("x", "")) == float(cells["10"].get("x", "")) == (76 + 620) / 2
    assert float(cells["1,000"].get("x", "")) == 76
    assert float(cells["1"].get("y", "")) > float(cells["10"].get("y", ""))
    densities = [float(cells[n].get("fill-opacity", "")) for n in ("1", "10", "1,000")]
    assert densities == sorted(set(densities))
    assert densities[-1] == 1


def test_a_chart_in_a_page_brings_no_style_of_its_own() -> None:
    chart = Chart("<t>", Axis("x", 0, 1), Axis("y", 0, 1), [])
    assert "<style>" in render(chart)
    assert "<style>" not in render(chart, alone=False)
    assert "<t>" not in render(chart)
