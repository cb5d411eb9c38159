"""The rooms are packages of this tree: their generic names could be somebody else's in site-packages."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("core", "cutouts", "storage", "models", "tasks", "worker", "api", "cli", "bench", "tests")


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_imported_from_this_tree(room: str) -> None:
    spec = importlib.util.find_spec(room)
    assert spec is not None
    assert spec.origin == str(ROOT / room / "__init__.py")
