"""Workers that nothing can scrape are told of by the sweeper."""

import logging
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from core.metrics_server import Told
from storage.record import Record
from storage.workers import WorkerInfo
from tasks.metrics import ServiceMetrics
from tasks.relayed_metrics import MOST_BYTES, RELAYED, RelayedMetrics
from tests.tasks.test_sweep import Queue
from worker.metrics import count_batch, note_engine, note_invitation, scoring_metrics, watch_metrics

UNTIL = datetime(2027, 1, 1, tzinfo=UTC)


def samples(text: bytes) -> dict[str, float]:
    return {
        s.name + str(dict(sorted(s.labels.items()))): s.value
        for family in text_string_to_metric_families(text.decode())
        for s in family.samples
    }


def relayed(**texts: str) -> dict[str, float]:
    registry = CollectorRegistry()
    collector = RelayedMetrics()
    registry.register(collector)
    collector.update(texts)
    return samples(generate_latest(registry))


def test_all_that_a_scoring_process_counts_is_relayed() -> None:
    text = (scoring_metrics() + watch_metrics(ready=True, replaced=2)).decode()
    counted = {f.name for f in text_string_to_metric_families(text) if not f.name.endswith("_created")}
    assert {name for name in counted if name.startswith("streaks_")} == RELAYED


def test_the_sweeper_tells_what_present_workers_have_told(record: Record) -> None:
    count_batch(6, 8)
    note_engine(["rb@3"], 5)
    note_invitation(UNTIL)
    text = (scoring_metrics() + watch_metrics(ready=True, replaced=1)).decode()
    for name, metrics in (("a:gpu0", text), ("b:gpu0", text), ("here:cpu", None)):
        record.workers.report(WorkerInfo(name, "jax", "GPU", ("rb@3",), 0, 0), token=name, metrics=metrics)
    told = ServiceMetrics(record, Queue())
    told.update()
    found = samples(Told(told.text).metrics())
    for worker in ("a:gpu0", "b:gpu0"):
        assert found[f"streaks_holds{{'version': 'rb@3', 'worker': '{worker}'}}"] == 1
        assert found[f"streaks_replaced_total{{'worker': '{worker}'}}"] == 1
        assert found[f"streaks_batch_fill_count{{'worker': '{worker}'}}"] >= 1
    assert found["streaks_workers{'state': 'ready'}"] == 3
    assert found["streaks_invitation_ends_timestamp_seconds{'worker': 'a:gpu0'}"] == UNTIL.timestamp()
    assert not any("here:cpu" in name for name in found)


def test_the_sweeper_tells_how_full_the_disks_of_the_record_and_of_the_blobs_are(record: Record) -> None:
    told = ServiceMetrics(record, Queue())
    told.update()
    found = samples(told.text())
    there = record.blobs.disk()
    assert there is not None
    assert found["streaks_disk_bytes{'of': 'mongo'}"] > found["streaks_disk_free_bytes{'of': 'mongo'}"] > 0
    assert found["streaks_disk_bytes{'of': 'blobs'}"] == there.size
    assert found["streaks_disk_free_bytes{'of': 'blobs'}"] == pytest.approx(there.free, rel=0.1)


@pytest.mark.parametrize("text", ["{", "streaks_cutouts_total a\n", "x" * (MOST_BYTES + 1)])
def test_what_no_metrics_are_is_left_out_and_said_once(text: str, caplog: pytest.LogCaptureFixture) -> None:
    collector = RelayedMetrics()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            collector.update({"bad": text, "good": "streaks_ready 1\n"})
    assert [metric.samples[0].labels for metric in collector.collect()] == [{"worker": "good"}]
    assert [record.__dict__["worker"] for record in caplog.records] == ["bad"]


def test_a_host_speaks_for_itself_alone() -> None:
    told = relayed(
        a='streaks_workers{state="ready"} 7\nup 1\nstreaks_ready{worker="b"} 1\n', b="streaks_ready 0\n"
    )
    assert told == {"streaks_ready{'worker': 'a'}": 1, "streaks_ready{'worker': 'b'}": 0}


def test_a_label_of_any_kind_is_written_as_it_is() -> None:
    registry = CollectorRegistry()
    Gauge("streaks_holds", "", ["version"], registry=registry).labels('a"\n\\b').set(1)
    assert len(relayed(**{"w": generate_latest(registry).decode()})) == 1
