"""Presence: each worker goes by a name that is its alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from storage.record import Record
from storage.workers import WorkerInfo

GPU0 = WorkerInfo("host:gpu0", "mean", "NVIDIA H100", ("rb@1",), 0, 0, 7)


def test_a_worker_that_was_started_again_goes_by_its_name_again(record: Record) -> None:
    assert record.workers.report(GPU0, token="a") == "host:gpu0"
    assert record.workers.report(replace(GPU0, pid=8), token="a") == "host:gpu0"
    assert [(worker.name, worker.pid) for worker in record.workers.ready()] == [("host:gpu0", 8)]


def test_hosts_of_one_name_and_processes_on_one_device_are_told_apart_by_number(record: Record) -> None:
    names = [record.workers.report(GPU0, token=token) for token in "abc"]
    assert names == ["host:gpu0", "host:gpu0-2", "host:gpu0-3"]
    again = [record.workers.report(replace(GPU0, name=n), token=t) for n, t in zip(names, "abc", strict=True)]
    assert again == names
    assert [worker.name for worker in record.workers.ready()] == names
    record.workers.leave("host:gpu0", token="b")
    assert record.workers.is_ready("a")
    record.workers.leave("host:gpu0", token="a")
    assert not record.workers.is_ready("a")
    assert len(record.workers.ready()) == 2


def test_a_worker_that_drains_is_there_and_takes_no_work(record: Record) -> None:
    record.workers.report(replace(GPU0, draining=True), token="a")
    assert [worker.draining for worker in record.workers.present()] == [True]
    assert record.workers.ready() == []


def test_a_name_is_free_once_its_holder_has_not_reported_for_long_and_who_returns_takes_another(
    record: Record,
) -> None:
    record.workers.report(GPU0, token="a")
    long_ago = datetime.now(UTC) - timedelta(seconds=16)
    record.database["workers"].update_one({"_id": "host:gpu0"}, {"$set": {"at": long_ago}})
    assert record.workers.ready() == []
    assert record.workers.report(GPU0, token="b") == "host:gpu0"
    assert record.workers.report(GPU0, token="a") == "host:gpu0-2"


@pytest.mark.parametrize(
    "change",
    [{"unwell": "the canary scored 0.1"}, {"versions": ()}, {"draining": True}],
    ids=lambda c: next(iter(c)),
)
def test_who_is_unwell_or_holds_no_model_or_drains_is_there_and_takes_no_work(
    record: Record, change: dict[str, Any]
) -> None:
    record.workers.report(replace(GPU0, **change), token="a")
    assert record.workers.ready() == []
    (found,) = record.workers.present()
    assert all(getattr(found, name) == value for name, value in change.items())
