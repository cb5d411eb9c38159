"""Batches on a device that is working on others: begun in time, landed in order, each with its own faults."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from core.model_card import ModelCard
from cutouts.recipes import Pixels
from tests.record import card
from tests.worker.pictures import noisy_png
from tests.worker.test_scorer import Bench, MeanGrey, bench  # noqa: F401  a fixture
from worker.batch_engine import BatchEngine
from worker.engine import Awaited, Scores, begin
from worker.reader import Reading
from worker.watched_engine import WatchedEngine

ONE = ["rb@1"]


class Device(BatchEngine):
    """Answers the grey level of each cutout's first pixel, and notes what it has at a time."""

    name, precision, device = "device-1", "float32", "gpu"
    in_flight = 2

    def __init__(self, sizes: Sequence[int] = (1, 2, 4), *, memory: int = 4) -> None:
        super().__init__(sizes)
        self.memory, self.has, self.most = memory, 0, 0
        self.lost_from = 256

    def _network(self, card: ModelCard, weights: bytes) -> None:
        return None

    def _function(self, versions: tuple[str, ...]) -> None:
        return None

    def _compile(self, networks: Sequence[Any]) -> None:
        return None

    def _start(self, run: Any, batch: Pixels) -> Pixels:
        if len(batch) > self.memory:
            raise MemoryError
        self.has += 1
        self.most = max(self.most, self.has)
        return batch

    def _finish(self, started: Pixels) -> Scores:
        self.has -= 1
        grey = started[:, 0, 0, 0]
        if (grey >= self.lost_from).any():
            raise RuntimeError("the device is lost")
        return grey[:, None].astype(np.float32)

    def _out_of_memory(self, error: Exception) -> bool:
        return isinstance(error, MemoryError)


def greys(first: int, last: int) -> Pixels:
    batch = np.zeros((last - first, 144, 144, 1), np.uint8)
    batch[:, 0, 0, 0] = np.arange(first, last)
    return batch


def given(awaited: Awaited) -> list[float]:
    return [float(score) for score in awaited()[:, 0]]


def test_batches_begun_together_give_each_its_own_scores_in_whatever_order_they_are_awaited() -> None:
    device = Device()
    first, second = device.begin(greys(0, 9), ONE), device.begin(greys(9, 15), ONE)
    assert device.has == 2  # the first one's scores are back but for what is on the device
    assert device.score(greys(20, 21), ONE).tolist() == [[20.0]]
    assert given(second) == list(range(9, 15))
    assert given(first) == list(range(9))
    assert (device.has, device.most) == (0, 2)


def test_a_batch_that_was_given_up_takes_no_place_and_disturbs_no_other() -> None:
    device = Device()
    device.lost_from = 3
    device.begin(greys(0, 8), ONE)
    assert given(device.begin(greys(0, 3), ONE)) == [0, 1, 2]
    assert device.has == 0


def test_a_fault_is_raised_to_who_awaits_its_batch_and_to_nobody_else() -> None:
    device = Device()
    device.lost_from = 200
    watched = WatchedEngine(device, room=4)
    first, second, third = (watched.begin(greys(n, n + 6), ONE) for n in (0, 196, 10))
    assert given(third) == list(range(10, 16))
    assert not watched.failed.is_set()
    with pytest.raises(RuntimeError, match="device is lost"):
        second()
    assert watched.failed.is_set()
    assert given(first) == list(range(6))


def test_batches_that_do_not_fit_are_begun_again_in_halves_once_for_all_of_them() -> None:
    device = Device((1, 8), memory=4)
    batches = [device.begin(greys(n, n + 7), ONE) for n in (0, 7)]
    assert [given(awaited) for awaited in batches] == [list(range(7)), list(range(7, 14))]
    assert device._sizes == (1, 4)


def test_an_engine_that_takes_one_batch_at_a_time_has_scored_it_when_it_is_begun() -> None:
    engine = MeanGrey()
    engine.load(card("rb@1", b""), b"")
    awaited = begin(engine, greys(0, 3), ONE)
    assert engine.batches == [3]
    assert awaited().shape == (3, 1)


@pytest.mark.parametrize(
    ("priority", "ready", "order"),
    [
        ("bulk", True, "begun 4, begun 1, scored 4, scored 1"),
        ("bulk", False, "begun 4, scored 4, begun 1, scored 1"),
        ("live", True, "begun 4, scored 4, begun 1, scored 1"),
    ],
)
def test_a_backlogs_next_batch_is_begun_before_this_one_is_awaited_if_it_is_read_by_then(
    bench: Bench,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    priority: str,
    ready: bool,
    order: str,
) -> None:
    told: list[str] = []

    def begins(batch: Pixels, versions: Sequence[str]) -> Awaited:
        told.append(f"begun {len(batch)}")
        scores = bench.engine.score(batch, versions)
        return lambda: told.append(f"scored {len(batch)}") or scores  # type: ignore[func-returns-value]

    monkeypatch.setattr(bench.engine, "begin", begins, raising=False)
    monkeypatch.setattr(Reading, "is_ready", lambda *_: ready)  # as it may be by chance
    job = bench.submit(bench.items([(f"{i}.png", noisy_png(i)) for i in range(5)]), priority=priority)
    bench.run(job)
    assert ", ".join(told) == order
    assert bench.record.shards.progress(job.id).scored == 5
    assert bench.record.database["outcomes"].count_documents({}) == 10


def test_a_device_that_is_lost_with_a_batch_ahead_loses_no_cutout_and_scores_none_twice(
    bench: Bench,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    device = Device()
    monkeypatch.setattr(bench.scorer._networks, "_engine", device)
    monkeypatch.setattr(Reading, "is_ready", lambda *_: True)
    device.lost_from = 0
    job = bench.submit(bench.items([(f"{i}.png", noisy_png(i)) for i in range(5)]), priority="bulk")
    with pytest.raises(RuntimeError, match="device is lost"):
        bench.scorer.score_shard(job.id, 0)
    assert bench.record.database["outcomes"].count_documents({}) == 0
    bench.let_leases_run_out()
    bench.record.database["shards"].update_many({}, {"$set": {"state": "waiting"}})
    bench.run(job)
    assert bench.record.shards.progress(job.id).scored == 5
    assert bench.record.database["outcomes"].count_documents({}) == 10


class Turning(BatchEngine):
    """Gives each cutout the precision that it was computed in, 22 or 32, which loading "exact@1" turns."""

    name, device = "turning-1", "gpu"

    def __init__(self, *, memory: int) -> None:
        super().__init__((1, 4))
        self.memory, self.precision = memory, "22"

    def load(self, card: ModelCard, weights: bytes) -> None:
        if card.version == "exact@1":
            self.precision = "32"
            self._compiled.clear()
        super().load(card, weights)

    def _network(self, card: ModelCard, weights: bytes) -> float:
        return float(self.precision)

    def _compile(self, networks: Sequence[Any]) -> Any:
        precision = float(self.precision)
        return lambda batch: np.full((len(batch), len(networks)), precision, np.float32)

    def _start(self, run: Any, batch: Pixels) -> Any:
        return run, batch

    def _finish(self, started: Any) -> Scores:
        run, batch = started
        if len(batch) > self.memory:
            raise MemoryError
        return np.asarray(run(batch), np.float32)

    def _out_of_memory(self, error: Exception) -> bool:
        return isinstance(error, MemoryError)


@pytest.mark.parametrize("dropped", [True, False])
def test_a_batch_that_did_not_fit_is_begun_again_as_it_was_whatever_was_loaded_meanwhile(
    dropped: bool,
) -> None:
    engine = Turning(memory=2)
    engine.load(card("rb@1", b""), b"")
    awaited = engine.begin(greys(0, 4), ONE)
    engine.load(card("exact@1", b""), b"")  # for a live shard between
    if dropped:
        engine.drop("rb@1")
    assert given(awaited) == [22.0] * 4
    assert engine._sizes == (1, 2)
