"""What a scoring process counts of its work. The Celery process beside it serves this, from a file."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from core.outcome import Outcome

Stage = Literal["read", "decode", "wait", "infer", "write"]
"""`wait`: the scorer had no pixels, and the engine perhaps nothing to do."""

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
_cutouts = Counter("streaks_cutouts", "Cutouts that got a score.", registry=REGISTRY)
_rejections = Counter(
    "streaks_rejections", "Cutouts and items rejected.", ["stage", "reason"], registry=REGISTRY
)
_seconds = Counter("streaks_stage_seconds", "Seconds spent, of all threads.", ["stage"], registry=REGISTRY)
_fill = Histogram(
    "streaks_batch_fill",
    "Cutouts in a batch, of those that fit.",
    buckets=[0.1, 0.25, 0.5, 0.75, 0.9, 1.0],
    registry=REGISTRY,
)
_scores = Histogram(
    "streaks_score", "Scores.", ["version"], buckets=[n / 10 for n in range(1, 11)], registry=REGISTRY
)
_device = Gauge("streaks_device_bytes", "Memory of the GPU that the engine uses.", registry=REGISTRY)
_holds = Gauge("streaks_holds", "1 for each version that is loaded.", ["version"], registry=REGISTRY)
_invitation_ends = Gauge(
    "streaks_invitation_ends_timestamp_seconds",
    "When the invitation of this worker's host is over; +Inf where none is needed.",
    registry=REGISTRY,
)
_invitation_ends.set(math.inf)


@contextmanager
def timed(stage: Stage) -> Iterator[None]:
    """Add what the block takes to a stage."""
    began = time.perf_counter()
    try:
        yield
    finally:
        _seconds.labels(stage).inc(time.perf_counter() - began)


def count_batch(cutouts: int, room: int) -> None:
    """Note how full a batch is."""
    _fill.observe(min(1.0, cutouts / room))


def count_outcomes(outcomes: Mapping[tuple[str, str], Outcome]) -> None:
    """Count what was put on record."""
    _cutouts.inc(len({cutout for (cutout, _), outcome in outcomes.items() if outcome.rejection is None}))
    for (_, version), outcome in outcomes.items():
        if outcome.score is not None:
            _scores.labels(version).observe(outcome.score)
        elif outcome.rejection is not None:
            _rejections.labels(outcome.rejection.stage, outcome.rejection.reason).inc()


def count_rejection(stage: str, reason: str) -> None:
    """Count an item that is rejected itself, and not its content."""
    _rejections.labels(stage, reason).inc()


def note_engine(versions: Sequence[str], device_bytes: int | None) -> None:
    """Note what the engine holds."""
    _holds.clear()
    for version in versions:
        _holds.labels(version).set(1)
    _device.set(device_bytes or 0)


def note_invitation(until: datetime) -> None:
    """Note how long this host is let in."""
    _invitation_ends.set(until.timestamp())


def scoring_metrics() -> bytes:
    """All of it in Prometheus's text format."""
    return generate_latest(REGISTRY)


def watch_metrics(*, ready: bool, replaced: int) -> bytes:
    """What is known of a process beside it, in the same format."""
    return (
        "# HELP streaks_ready Whether the process is well, and takes work.\n# TYPE streaks_ready gauge\n"
        f"streaks_ready {int(ready)}\n"
        "# HELP streaks_replaced_total Processes that were killed by the watchdog.\n"
        f"# TYPE streaks_replaced_total counter\nstreaks_replaced_total {replaced}\n"
    ).encode()


def write_metrics(file: Path) -> None:
    """Put all of it into a file, in one step."""
    fresh = file.with_name(f".{file.name}")
    fresh.write_bytes(scoring_metrics())
    fresh.replace(file)
