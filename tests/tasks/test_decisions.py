"""The sweep brings decisions up to the thresholds."""

from storage.cutouts import CutoutRecord
from storage.decisions import production_fields
from storage.record import Record
from tasks.sweep import RecordSweeper
from tests.record import register


class NoQueue:
    """A queue that nothing is sent to."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"{name} was asked of the queue")


def test_the_sweep_decides_again_what_older_thresholds_decided(record: Record) -> None:
    register(record, "rb@1")
    record.cutouts.announce([CutoutRecord("a", None)])
    record.cutouts.set_production(production_fields(record.models, {"a": {"rb@1": 0.55}}))
    record.models.set_threshold("rb@1", 0.6, by="me")
    RecordSweeper(record, NoQueue()).sweep()  # type: ignore[arg-type]
    found = record.cutouts.get("a")
    assert found is not None
    assert found["plausible"] is False
