"""Who puts the shipped networks on record: the service's own workers, and no guest."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from bench.grey_worker import GreyEngine
from core.settings import Settings
from storage.record import Record
from worker.process import ScoringProcess


@pytest.mark.parametrize(("guest", "registers"), [(None, True), ("guest_0123456789", False)])
def test_only_the_services_own_workers_register_what_ships(
    settings: Settings, record: Record, guest: str | None, *, registers: bool
) -> None:
    theirs = settings.model_copy(update={"guest": guest, "shipped": "light"})
    nowhere = cast("Any", SimpleNamespace(device="cpu", token="t", doing=None, stop=lambda: None))
    process = ScoringProcess(theirs, GreyEngine(0), nowhere, nowhere)
    process.stop()
    assert bool(record.models.all()) == registers
