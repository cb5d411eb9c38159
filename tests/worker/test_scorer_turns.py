"""Whose turn it is: ranks, shares and pauses of bulk jobs, while live ones go first."""

from collections.abc import Sequence

import numpy as np
import pytest

from core.job import Item, Job, JobState
from core.outcome import Outcome
from core.settings import Settings
from cutouts.recipes import Pixels
from storage.record import Record
from storage.workers import WorkerInfo
from tests.record import register
from tests.worker.pictures import noisy_png
from tests.worker.test_scorer import MeanGrey
from worker.engine import Scores
from worker.process import _scorer
from worker.scorer import ShardScorer

VERSIONS = ("rb@7",)


@pytest.fixture
def scorer(record: Record, settings: Settings) -> ShardScorer:
    register(record, *VERSIONS)
    return _scorer(settings, record, MeanGrey(), "me")


def accept(record: Record, job: str, *, shards: int, rank: int = 0, share: float | None = None) -> None:
    contents = [record.blobs.put(noisy_png(100 * ord(job) + n)) for n in range(shards)]
    items = [Item(f"{job}-{n}", sha, sha) for n, sha in enumerate(contents)]
    record.shards.insert(job, [[item] for item in items], priority="bulk", rank=rank)
    record.jobs.accept(Job(job, VERSIONS, "bulk", "me", items=shards, shards=shards, rank=rank, share=share))


def done(record: Record, job: str) -> int:
    return record.shards.progress(job).done


def in_order(record: Record) -> list[tuple[str, int]]:
    """Closed shards, as they were."""
    found = record.database["shards"].find({"state": "done"}).sort("closed", 1)
    return [(shard["_id"]["job"], shard["_id"]["n"]) for shard in found]


def test_shards_of_a_higher_rank_are_first_whatever_a_message_names(
    record: Record, scorer: ShardScorer
) -> None:
    accept(record, "a", shards=2)
    accept(record, "b", shards=1, rank=5)
    scorer.score_shard("a", 0)
    assert in_order(record) == [("b", 0), ("a", 0), ("a", 1)]
    accept(record, "c", shards=1)
    record.shards.set_rank("c", 9)
    accept(record, "d", shards=1, rank=8)
    scorer.score_shard("d", 0)
    assert in_order(record)[3:] == [("c", 0), ("d", 0)]


def test_a_jobs_share_does_not_keep_its_worker_from_claiming_the_next_of_its_shards_ahead(
    record: Record, scorer: ShardScorer
) -> None:
    record.workers.report(WorkerInfo("me", "mean", "cpu", VERSIONS, 0, 0), token="1")
    accept(record, "a", shards=3, share=0.5)
    scorer.score_shard("a", 0)
    assert done(record, "a") == 3


def test_a_job_takes_its_share_of_the_workers_and_no_more(record: Record, scorer: ShardScorer) -> None:
    for n in range(4):
        record.workers.report(WorkerInfo(f"host:{n}", "mean", "cpu", VERSIONS, 0, 0), token=str(n))
    accept(record, "a", shards=4, share=0.5)
    for n in range(2):
        assert record.shards.claim("a", n, worker=f"host:{n}") is not None
    scorer.score_shard("a", 2)
    assert done(record, "a") == 0
    accept(record, "b", shards=1)
    scorer.score_shard("a", 2)
    assert done(record, "b") == 1
    record.shards.release(record.shards.claim("a", 3, worker="x"))  # type: ignore[arg-type]
    record.database["shards"].update_one({"_id": {"job": "a", "n": 1}}, {"$set": {"state": "waiting"}})
    scorer.score_shard("a", 2)
    assert done(record, "a") == 1


def test_nobody_works_on_a_paused_job_until_it_goes_on(record: Record, scorer: ShardScorer) -> None:
    accept(record, "a", shards=2)
    lease = record.shards.claim("a", 0, worker="host:1")
    assert lease is not None
    record.jobs.set_paused("a", paused=True)
    record.shards.pause("a")
    assert not record.shards.renew(lease)
    scorer.score_shard("a", 0)
    assert done(record, "a") == 0
    found = record.jobs.get("a")
    assert found is not None
    assert (found.state, found.paused) == (JobState.ACCEPTED, True)
    record.shards.unpause("a")
    for _ in range(2):
        scorer.score_shard("a", 0)
    assert done(record, "a") == 2
    found = record.jobs.get("a")
    assert found is not None
    assert found.state is JobState.FINISHED


def test_a_shard_whose_job_is_not_accepted_yet_holds_up_nobody(record: Record, scorer: ShardScorer) -> None:
    sha = record.blobs.put(noisy_png(1))
    record.shards.insert("a", [[Item("x", sha, sha)]], priority="bulk")
    accept(record, "b", shards=1)
    scorer.score_shard("b", 0)
    assert done(record, "b") == 1
    lease = record.shards.claim("a", 0, worker="one")
    assert lease is not None
    assert lease.attempts == 1


def test_a_scorer_that_drains_finishes_its_shard_and_takes_no_other_not_even_a_live_one(
    record: Record, settings: Settings
) -> None:
    class TellsToDrain(MeanGrey):
        def score(self, batch: Pixels, versions: Sequence[str]) -> Scores:
            drains.draining = True
            return super().score(batch, versions)

    register(record, *VERSIONS)
    drains = _scorer(settings, record, TellsToDrain(), "me")
    accept(record, "a", shards=2)
    sha = record.blobs.put(noisy_png(7))
    record.shards.insert("b", [[Item("live", sha, sha)]], priority="live")
    record.jobs.accept(Job("b", VERSIONS, "live", "me", items=1, shards=1))
    for job, n in (("a", 0), ("a", 1), ("b", 0)):
        drains.score_shard(job, n)
    assert (done(record, "a"), done(record, "b")) == (1, 0)


def test_a_scorer_that_drains_takes_no_other_shard_when_it_has_lost_the_one_at_hand(
    record: Record, settings: Settings
) -> None:
    class IsPausedAndTold(MeanGrey):
        def score(self, batch: Pixels, versions: Sequence[str]) -> Scores:
            drains.draining = True
            record.shards.pause("a")
            return super().score(batch, versions)

    register(record, *VERSIONS)
    drains = _scorer(settings, record, IsPausedAndTold(), "me")
    accept(record, "a", shards=1)
    accept(record, "b", shards=1)
    drains.score_shard("a", 0)
    assert done(record, "b") == 0


def test_a_job_is_not_finished_while_it_is_planned(record: Record, scorer: ShardScorer) -> None:
    sha = record.blobs.put(noisy_png(1))
    planned = Job("a", VERSIONS, "bulk", "me", 0, 0, kind="rescore", state=JobState.PLANNING, selection="")
    record.jobs.accept(planned)
    record.shards.append("a", {0: [Item("x", sha, sha)]}, priority="bulk", rank=0, paused=False)
    scorer.score_shard("a", 0)
    assert done(record, "a") == 1
    found = record.jobs.get("a")
    assert found is not None
    assert found.state is JobState.PLANNING


def test_what_is_scored_already_is_done_and_stays(record: Record, scorer: ShardScorer) -> None:
    accept(record, "a", shards=1)
    [item] = record.shards.items("a", 0) or []
    record.outcomes.insert([Outcome(str(item.cutout), "rb@7", 0.125)], provenance={})
    scorer.score_shard("a", 0)
    found = record.outcomes.find([str(item.cutout)], VERSIONS)
    assert np.isclose(found[str(item.cutout), "rb@7"].score or 0, 0.125)


def test_a_job_that_is_accepted_just_after_its_shard_was_claimed_loses_nothing(
    record: Record, scorer: ShardScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha = record.blobs.put(noisy_png(1))
    record.shards.insert("a", [[Item("x", sha, sha)]], priority="live")
    start = record.jobs.start

    def slow(job: str) -> Job | None:
        found = start(job)
        if found is None:
            record.jobs.accept(Job("a", VERSIONS, "live", "me", items=1, shards=1))
        return found

    monkeypatch.setattr(record.jobs, "start", slow)
    scorer.score_shard("a", 0)
    assert record.shards.any_open("a")
    scorer.score_shard("a", 0)
    assert done(record, "a") == 1
