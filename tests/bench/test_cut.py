"""Streaks of another telescope are found once they are cut out."""

from pathlib import Path

from bench.cut import WANTED, found_in


def test_streaks_in_a_full_image_of_wider_pixels_are_found_by_the_light_network(tmp_path: Path) -> None:
    assert found_in(tmp_path / "night", 0, network="rb@3") >= WANTED
