"""What looks for work again and again writes nothing while there is none: a write waits for the journal."""

from collections.abc import Iterator

import pytest

from core.settings import Notifications, Scoring, Settings
from storage.database import Document
from storage.record import Record
from tasks.notifications import Announcer, Dispatcher
from tasks.plan import Planner
from tasks.sweep import RecordSweeper
from tests.tasks.test_sweep import Queue

WRITES = {"update", "remove", "insert"}


@pytest.fixture
def profiled(record: Record) -> Iterator[Record]:
    """A record whose MongoDB keeps each operation that it is asked for."""
    record.database.command("profile", 2)
    yield record
    record.database.command("profile", 0)
    record.database["system.profile"].drop()


def _is_write(operation: Document) -> bool:
    return operation["op"] in WRITES or "findAndModify" in operation.get("command", {})


def test_who_finds_nothing_to_do_writes_nothing(profiled: Record, settings: Settings) -> None:
    sweeper = RecordSweeper(profiled, Queue())
    planner = Planner(profiled, Scoring(), name="p")
    announcer, dispatcher = Announcer(profiled, Notifications()), Dispatcher(profiled, settings)
    sweeper.sweep()  # the first one notes that no promotion is to be followed
    asked = profiled.database["system.profile"].count_documents({})
    sweeper.sweep()
    assert not planner.plan_one()
    assert announcer.announce() == dispatcher.dispatch(lambda run, delivery: run(delivery)) == 0
    found = list(profiled.database["system.profile"].find().sort("$natural", 1))[asked:]
    looks = [operation for operation in found if operation["ns"].split(".", 1)[-1] != "system.profile"]
    assert len(looks) > 10
    assert [operation["command"] for operation in looks if _is_write(operation)] == []
