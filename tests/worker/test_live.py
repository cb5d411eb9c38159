"""Live shards that wait at the same time: scored in one batch, and nobody suffers for another's cutout."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from core.instrument import Instrument
from core.job import Item, Job, JobState
from core.settings import Scoring, Settings
from cutouts.decode import decode
from cutouts.recipes import Pixels
from storage.record import Record
from storage.shards import ShardRepository
from tests.instruments import COARSE
from tests.record import register
from tests.worker.pictures import noisy_png
from tests.worker.test_scorer import Death, MeanGrey
from worker.engine import Scores
from worker.process import _scorer
from worker.scorer import ShardScorer

VERSIONS = ("rb@7", "sl@7")
BATCH = 8


class Engine(MeanGrey):
    """Fails on some cutouts, and does something else while it scores."""

    def __init__(self) -> None:
        super().__init__()
        self.fails_of: float | None = None
        self.meanwhile: Callable[[], object] = lambda: None

    def score(self, batch: Pixels, versions: Sequence[str]) -> Scores:
        self.meanwhile()
        scores = super().score(batch, versions)
        if self.fails_of is not None and np.isclose(scores[:, 0], self.fails_of, rtol=0, atol=1e-7).any():
            raise RuntimeError("this one not")
        return scores


class Live:
    """A record, an engine and scorers over them."""

    def __init__(self, record: Record, settings: Settings) -> None:
        self.record, self.engine = record, Engine()
        self._settings = settings.model_copy(update={"scoring": Scoring(batch_sizes=(1, BATCH))})
        self.scorer = self.another()
        self.jobs: list[str] = []

    def another(self) -> ShardScorer:
        """A scorer as of a process that has just come."""
        for version in self.engine.versions:
            self.engine.drop(version)
        return _scorer(self._settings, self.record, self.engine, "me")

    def submit(self, *seeds: int, versions: tuple[str, ...] = VERSIONS, **options: object) -> str:
        """Accept a live job of one shard with these pictures."""
        name = f"job {len(self.jobs)}"
        self.jobs.append(name)
        contents = [self.record.blobs.put(noisy_png(seed)) for seed in seeds]
        self.record.shards.insert(name, [[Item(f"{sha}.png", sha, sha) for sha in contents]], priority="live")
        self.record.jobs.accept(
            Job(name, versions, "live", "me", items=len(seeds), shards=1, **options)  # type: ignore[arg-type]
        )
        return name

    def run(self) -> None:
        """What the messages of all shards bring about."""
        for job in self.jobs:
            self.scorer.score_shard(job, 0)

    def finished(self) -> list[bool]:
        found = self.record.jobs.get_all(self.jobs)
        return [found[job].state is JobState.FINISHED for job in self.jobs]

    def counts(self) -> list[tuple[int, int]]:
        progress = self.record.shards.progress_of(self.jobs)
        return [(progress[job].scored, progress[job].rejected) for job in self.jobs]

    def end_leases(self) -> None:
        """The leases of a process that has died run out."""
        self.record.database["shards"].update_many({"state": "leased"}, [{"$set": {"lease_until": "$$NOW"}}])
        self.record.shards.free_expired()


@pytest.fixture
def live(record: Record, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Live:
    """Batches depend on how long cutouts took lately, and here on nothing that a busy machine decides."""
    monkeypatch.setattr("worker.live.TOGETHER_S", math.inf)
    register(record, *VERSIONS)
    return Live(record, settings)


def grey_of(seed: int) -> float:
    return float(decode(noisy_png(seed)).mean(dtype=np.float32) / np.float32(255))


def test_what_waits_at_the_same_time_is_one_batch_and_each_shard_counts_its_own(live: Live) -> None:
    for seeds in ((1,), (2, 3), (4,)):
        live.submit(*seeds)
    live.scorer.score_shard(live.jobs[1], 0)
    assert live.engine.batches == [4]
    assert (live.finished(), live.counts()) == ([True] * 3, [(1, 0), (2, 0), (1, 0)])
    outcomes = list(live.record.database["outcomes"].find())
    assert sorted(o["job"] for o in outcomes) == ["job 0"] * 2 + ["job 1"] * 4 + ["job 2"] * 2
    assert live.scorer.scored == 4
    live.run()
    assert live.engine.batches == [4]


def test_who_is_alone_waits_for_nobody_and_more_than_a_batch_comes_in_two(live: Live) -> None:
    live.submit(0)
    live.run()
    assert live.engine.batches == [1]
    for seed in range(1, BATCH + 3):
        live.submit(seed)
    live.run()
    assert live.engine.batches == [1, BATCH, 2]
    assert all(live.finished())


def test_what_takes_too_long_together_comes_one_by_one(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    live.submit(0)
    live.run()
    monkeypatch.setattr("worker.live.TOGETHER_S", 0.0)
    for seed in (1, 2, 3):
        live.submit(seed)
    live.run()
    assert live.engine.batches == [1, 1, 1, 1]
    assert all(live.finished())


def test_the_same_cutout_in_two_shards_is_scored_once_on_record_and_counts_for_both(live: Live) -> None:
    live.submit(1)
    live.submit(1, 2)
    live.run()
    assert live.counts() == [(1, 0), (2, 0)]
    assert live.record.database["outcomes"].count_documents({}) == 4


@pytest.mark.parametrize("other", [{"versions": ("rb@7",)}, {"instrument": COARSE}, {"cascade": 0.1}])
def test_only_shards_that_want_the_same_come_together(live: Live, other: dict[str, Instrument]) -> None:
    live.submit(1)
    live.submit(2, **other)  # type: ignore[arg-type]
    live.submit(3)
    live.scorer.score_shard("job 0", 0)
    assert live.finished() == [True, False, True]
    live.run()
    assert all(live.finished())


def test_a_shard_that_refers_to_a_file_elsewhere_holds_up_nobody(live: Live) -> None:
    live.submit(1)
    item = Item("https://slow.example/a.png", reference="https://slow.example/a.png")
    live.record.shards.insert("refers", [[item]], priority="live")
    live.record.jobs.accept(Job("refers", VERSIONS, "live", "me", items=1, shards=1))
    live.submit(2)
    live.scorer.score_shard("job 0", 0)
    assert live.finished() == [True, True]
    assert live.record.shards.any_open("refers")


def test_a_process_that_dies_of_one_cutout_costs_the_other_shards_one_try_and_no_score(live: Live) -> None:
    for seed in range(4):
        live.submit(seed)
    live.engine.dies_of = grey_of(2)
    with pytest.raises(Death):
        live.run()
    live.end_leases()
    for _ in range(6):
        live.scorer = live.another()
        for job in live.jobs:
            try:
                live.scorer.score_shard(job, 0)
            except Death:
                live.end_leases()
                live.scorer = live.another()
    assert live.engine.batches[:4] == [4, 1, 1, 1]
    assert live.counts() == [(1, 0), (1, 0), (0, 1), (1, 0)]
    assert all(live.finished())
    assert live.record.database["outcomes"].count_documents({}) == 6
    tries = [d["attempts"] for d in live.record.database["shards"].find().sort("_id", 1)]
    assert [n for i, n in enumerate(tries) if i != 2] == [2, 2, 2]


def test_a_cutout_on_which_the_engine_fails_costs_the_others_nothing(live: Live) -> None:
    for seed in range(3):
        live.submit(seed)
    live.engine.fails_of = grey_of(1)
    with pytest.raises(RuntimeError, match="this one not"):
        live.scorer.score_shard("job 0", 0)
    assert live.finished() == [True, False, True]
    attempts = {d["_id"]["job"]: d["attempts"] for d in live.record.database["shards"].find()}
    assert set(attempts.values()) == {1}


def test_a_lease_that_is_lost_costs_only_its_own_shard(live: Live) -> None:
    for seed in range(3):
        live.submit(seed)

    def cancel() -> None:
        live.record.jobs.cancel("job 1")
        live.record.shards.cancel("job 1")

    live.engine.meanwhile = cancel
    live.scorer.score_shard("job 0", 0)
    assert live.finished() == [True, False, True]
    state = {d["_id"]["job"]: d["state"] for d in live.record.database["shards"].find()}
    assert state == {"job 0": "done", "job 1": "cancelled", "job 2": "done"}


def test_what_another_worker_claims_meanwhile_is_closed_by_that_one(live: Live) -> None:
    for seed in range(2):
        live.submit(seed)
    hasty = ShardRepository(live.record.database)

    def lose() -> None:
        live.engine.meanwhile = lambda: None
        live.record.database["shards"].update_one(
            {"_id": {"job": "job 1", "n": 0}}, {"$set": {"state": "waiting"}}
        )
        assert hasty.claim("job 1", 0, worker="other") is not None

    live.engine.meanwhile = lose
    live.scorer.score_shard("job 0", 0)
    assert live.finished() == [True, False]
    (shard,) = live.record.database["shards"].find({"_id.job": "job 1"})
    assert (shard["state"], shard["worker"]) == ("leased", "other")


def test_a_scorer_that_drains_finishes_what_it_took_together_and_takes_no_more(live: Live) -> None:
    for seed in range(BATCH + 2):
        live.submit(seed)

    def drain() -> None:
        live.scorer.draining = True

    live.engine.meanwhile = drain
    live.run()
    assert live.finished() == [True] * BATCH + [False] * 2
    assert live.record.database["shards"].count_documents({"state": "waiting"}) == 2


def test_a_shard_whose_job_ended_meanwhile_is_cancelled_and_the_others_are_scored(live: Live) -> None:
    for seed in range(3):
        live.submit(seed)
    live.record.jobs.cancel("job 1")
    live.scorer.score_shard("job 0", 0)
    assert live.finished() == [True, False, True]
    assert not live.record.shards.any_open("job 1")


def test_who_comes_behind_messages_that_are_late_does_not_wait_for_all_of_them(live: Live) -> None:
    for seed in range(3):
        live.submit(seed)
    live.scorer.score_shard("job 0", 0)  # all three; as of a backlog, messages are left
    assert live.finished() == [True] * 3
    live.submit(9)
    live.scorer._looked = 0.0
    live.scorer.score_shard("job 1", 0)
    assert live.finished() == [True] * 4
