"""Every collection is told apart: those that workers on other hosts use, and those of the API alone."""

import re
from pathlib import Path

from storage.database import PRIVATE, SHARED

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r'database\["(\w+)"\]')


def test_invited_hosts_are_given_every_collection_but_the_private_ones() -> None:
    used = {
        name
        for room in ("storage", "tasks", "worker")
        for f in (ROOT / room).rglob("*.py")
        for name in NAMED.findall(f.read_text("utf-8"))
    }
    assert used == {*PRIVATE, *SHARED}
    assert not set(PRIVATE) & set(SHARED)
