"""A backlog's next shard, claimed while the one before is scored: nothing waits for it, nothing is lost."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from typing import Any

import numpy as np
import pytest
from pymongo.errors import PyMongoError

from core.errors import Unavailable
from core.job import Job, Lease, ShardResult
from cutouts.recipes import Pixels
from storage.database import Document
from tests.worker.pictures import noisy_png
from tests.worker.test_scorer import Bench, Death, bench, cut, grey_of  # noqa: F401  a fixture
from worker import scorer
from worker.batches import Batches
from worker.engine import Awaited, Scores
from worker.reader import Reading
from worker.turn import Turn


class AtOnce(Executor):
    """Claims ahead as soon as it is wanted, and then does something else."""

    def __init__(self, then: Callable[[], object] = lambda: None) -> None:
        self._then = then

    def submit(self, call: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(call(*args, **options))
        except Exception as error:  # noqa: BLE001  as executors do
            future.set_exception(error)
        then, self._then = self._then, lambda: None
        then()
        return future


def backlog(bench: Bench, *, then: Callable[[], object] = lambda: None) -> Job:  # noqa: F811
    """A bulk job of two shards of five, and a scorer that claims the second one early."""
    bench.scorer._claims = AtOnce(then)  # type: ignore[assignment]
    return bench.submit(bench.items([(f"{i}.png", noisy_png(i)) for i in range(10)]), priority="bulk")


def second(bench: Bench) -> Document:  # noqa: F811
    """The second shard as it is on record."""
    found = bench.record.database["shards"].find_one({"_id.n": 1})
    assert found is not None
    return found


def test_the_next_shards_first_batch_is_begun_before_this_ones_last_is_awaited(
    bench: Bench,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []

    def begins(batch: Pixels, versions: Sequence[str]) -> Awaited:
        told.append(f"begun {len(batch)}")
        scores = bench.engine.score(batch, versions)
        return lambda: told.append(f"scored {len(batch)}") or scores  # type: ignore[func-returns-value]

    bench.scorer.load(["rb@1", "sl@1"])
    monkeypatch.setattr(bench.engine, "begin", begins, raising=False)
    monkeypatch.setattr(Reading, "is_ready", lambda self, _: self._begin() is None)  # as it may be by chance
    job = backlog(bench)
    bench.scorer.score_shard(job.id, 0)
    one = "begun 4, begun 1, scored 4"
    assert ", ".join(told) == f"{one}, begun 4, scored 1, begun 1, scored 4, scored 1"
    assert bench.is_finished(job)
    assert bench.record.database["outcomes"].count_documents({}) == 20


@pytest.mark.parametrize("process_ends", [True, False])
def test_a_shard_claimed_ahead_by_who_dies_or_fails_is_scored_by_the_next(
    bench: Bench,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    process_ends: bool,
) -> None:
    job = backlog(bench)
    bench.engine.dies_of = grey_of(4)
    with monkeypatch.context() as end:
        if process_ends:  # which gives nothing back
            end.setattr(Turn, "give_back", lambda turn, **_: turn.heartbeat.stop())
        with pytest.raises(Death):
            bench.scorer.score_shard(job.id, 0)
    state = ("leased", 1) if process_ends else ("waiting", 0)
    assert (second(bench)["state"], second(bench)["attempts"]) == state
    bench.engine.dies_of = None
    past = [{"$set": {"lease_until": {"$subtract": ["$$NOW", 1]}}}]
    bench.record.database["shards"].update_many({"state": "leased"}, past)
    bench.record.shards.free_expired()
    bench.run(job)
    assert bench.is_finished(job)
    assert bench.record.shards.progress(job.id).scored == 10
    assert bench.record.database["outcomes"].count_documents({}) == 20


def test_who_is_told_to_end_gives_back_what_was_claimed_ahead_and_not_begun(bench: Bench) -> None:  # noqa: F811
    def told() -> None:
        assert second(bench)["state"] == "leased"
        bench.scorer.draining = True

    job = backlog(bench, then=told)
    bench.scorer.score_shard(job.id, 0)
    assert bench.record.shards.progress(job.id).scored == 5
    assert (second(bench)["state"], second(bench)["attempts"]) == ("waiting", 0)


def test_live_work_that_comes_after_the_claim_is_served_before_the_next_shard(bench: Bench) -> None:  # noqa: F811
    live: list[Job] = []

    def come() -> None:
        assert second(bench)["state"] == "leased"
        pictures = bench.items([(f"live {i}.png", noisy_png(90 + i)) for i in range(3)])
        live.append(bench.submit(pictures, priority="live"))

    job = backlog(bench, then=come)
    bench.scorer.score_shard(job.id, 0)
    assert sorted(bench.engine.batches) == [1, 1, 3, 4, 4]
    assert bench.engine.batches.index(3) <= 2
    assert bench.is_finished(job)
    assert bench.is_finished(live[0])


def test_nothing_is_claimed_ahead_while_people_wait_nor_beside_a_shard_that_was_claimed_before(
    bench: Bench,  # noqa: F811
) -> None:
    live = bench.submit(bench.items([("live.png", noisy_png(99))]), priority="live")
    lease = bench.record.shards.claim(live.id, 0, worker="another")
    assert lease is not None
    job = backlog(bench)
    bench.scorer.score_shard(job.id, 0)
    assert (second(bench)["state"], second(bench)["attempts"]) == ("waiting", 0)
    bench.record.shards.cancel(live.id)
    more = backlog(bench)
    bench.record.database["shards"].update_one({"_id": {"job": job.id, "n": 1}}, {"$set": {"attempts": 1}})
    bench.scorer.score_shard(job.id, 1)
    assert bench.is_finished(job)
    assert bench.record.shards.progress(more.id).scored == 0


def test_a_record_that_is_away_when_a_shard_is_to_be_claimed_ahead_costs_nothing(
    bench: Bench,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = backlog(bench)
    monkeypatch.setattr(bench.scorer, "_taken_ahead", cut)
    bench.scorer.score_shard(job.id, 0)
    assert bench.record.shards.progress(job.id).scored == 5
    bench.scorer.score_shard(job.id, 1)
    assert bench.is_finished(job)


@pytest.mark.parametrize("broken", ["note_turn", "any_live"])
def test_a_record_that_is_away_when_the_turn_comes_leaves_no_shard_held(
    bench: Bench,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    broken: str,
) -> None:
    def away_then() -> None:
        monkeypatch.setattr(bench.record.shards, broken, cut)
        monkeypatch.setattr(bench.scorer, "_looked", 0.0)

    job = backlog(bench, then=away_then)
    with pytest.raises(PyMongoError):
        bench.scorer.score_shard(job.id, 0)
    monkeypatch.undo()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("heartbeat-")]
    assert (second(bench)["state"], second(bench)["attempts"]) == ("waiting", 0)
    bench.record.database["shards"].update_many(
        {"state": "leased"}, [{"$set": {"lease_until": {"$subtract": ["$$NOW", 1]}}}]
    )
    bench.record.shards.free_expired()
    bench.run(job)
    assert bench.is_finished(job)


@pytest.mark.parametrize("fault", ["its bytes", "its batch", "its preparation"])
def test_what_the_next_shard_fails_of_costs_the_one_at_hand_nothing(
    bench: Bench,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
) -> None:
    score, get = bench.engine.score, bench.record.blobs.get
    bad = bench.record.blobs.put(noisy_png(5))

    def fails_on_it(batch: Pixels, versions: Sequence[str]) -> Scores:
        if np.isclose(batch.mean(axis=(1, 2, 3)) / 255, grey_of(5), rtol=0, atol=1e-6).any():
            raise RuntimeError("the device is lost")
        return score(batch, versions)

    def gets(sha256: str) -> bytes:
        if sha256 == bad:
            raise Unavailable("input/output error")
        return get(sha256)

    bench.scorer.load(["rb@1", "sl@1"])
    job = backlog(bench)
    with monkeypatch.context() as broken:
        broken.setattr(Reading, "is_ready", lambda self, _: self._begin() is None)  # as it may be by chance
        if fault == "its bytes":
            broken.setattr(bench.record.blobs, "get", gets)
        elif fault == "its batch":
            broken.setattr(bench.engine, "score", fails_on_it)
        else:
            broken.setattr(Batches, "read_ahead", lambda _: 1 / 0)
        bench.scorer.score_shard(job.id, 0)
    assert bench.record.shards.progress(job.id).scored == 5
    tries = 0 if fault == "its preparation" else 1
    assert (second(bench)["state"], second(bench)["attempts"]) == ("waiting", tries)
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("heartbeat-")]
    bench.scorer.score_shard(job.id, 1)
    assert bench.is_finished(job)
    assert bench.record.database["outcomes"].count_documents({}) == 20


def test_who_is_told_to_end_while_it_serves_people_gives_back_the_next_shard(
    bench: Bench,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    live: list[Job] = []
    work = bench.scorer._live.work

    def told(leases: Sequence[Lease]) -> set[str]:
        bench.scorer.draining = True
        return work(leases)

    def closes(lease: Lease, result: ShardResult) -> bool:
        if not live:
            live.append(bench.submit(bench.items([("live.png", noisy_png(90))]), priority="live"))
            monkeypatch.setattr(bench.scorer, "_looked", 0.0)
        return close(lease, result)

    job = backlog(bench)
    close = bench.record.shards.close
    monkeypatch.setattr(bench.record.shards, "close", closes)
    monkeypatch.setattr(bench.scorer._live, "work", told)
    monkeypatch.setattr(Turn, "begin_early", lambda _: None)
    bench.scorer.score_shard(job.id, 0)
    assert bench.is_finished(live[0])
    assert bench.record.shards.progress(job.id).scored == 5
    assert (second(bench)["state"], second(bench)["attempts"]) == ("waiting", 0)


def test_a_message_is_not_worked_on_for_the_whole_of_a_long_backlog(
    bench: Bench,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = backlog(bench)
    monkeypatch.setattr(scorer, "MESSAGE_S", 0.0)
    bench.scorer.score_shard(job.id, 0)
    assert bench.record.shards.progress(job.id).scored == 5
    assert (second(bench)["state"], second(bench)["attempts"]) == ("waiting", 0)
    bench.scorer.score_shard(job.id, 1)
    assert bench.is_finished(job)
