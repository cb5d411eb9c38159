"""Leases: one holder at a time, by the database's clock."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.job import Item, Job, Rejection, ShardResult
from storage.record import Record
from storage.shards import ShardRepository

ITEMS = [Item("a.jpg", "a", "1" * 64), Item("b.jpg", None, None, reference="https://x/b.jpg")]


@pytest.fixture
def shards(record: Record) -> ShardRepository:
    record.shards.insert("j1", [ITEMS, ITEMS[:1]], priority="live")
    return record.shards


@pytest.fixture
def hasty(record: Record, shards: ShardRepository) -> ShardRepository:
    """The same shards under leases that have run out as soon as they are given."""
    return ShardRepository(record.database, lease_s=-1.0)


def test_a_shard_has_one_holder(shards: ShardRepository) -> None:
    lease = shards.claim("j1", 0, worker="one")
    assert lease is not None
    assert list(lease.items) == ITEMS
    assert shards.claim("j1", 0, worker="two") is None


def test_an_unknown_shard_cannot_be_claimed(shards: ShardRepository) -> None:
    assert shards.claim("j1", 7, worker="one") is None
    assert shards.claim("nobody", 0, worker="one") is None


def test_a_lease_that_ran_out_goes_to_the_next_and_the_slow_holder_changes_nothing(
    shards: ShardRepository, hasty: ShardRepository
) -> None:
    slow = hasty.claim("j1", 0, worker="slow")
    quick = shards.claim("j1", 0, worker="quick")
    assert slow is not None
    assert quick is not None
    assert quick.attempts == 2
    assert not shards.renew(slow)
    assert not shards.close(slow, ShardResult(scored=0, rejected=2))
    assert shards.close(quick, ShardResult(scored=2, rejected=0))
    assert shards.progress("j1").scored == 2


def test_a_lease_cannot_be_forged(shards: ShardRepository) -> None:
    lease = shards.claim("j1", 0, worker="one")
    assert lease is not None
    forged = replace(lease, token="0" * 16)
    assert not shards.renew(forged)
    assert not shards.close(forged, ShardResult(1, 1))


def test_closing_records_what_was_learnt_of_single_items(shards: ShardRepository) -> None:
    lease = shards.claim("j1", 0, worker="one")
    assert lease is not None
    refused = Rejection("fetch", "unreachable", "no answer")
    assert shards.close(lease, ShardResult(1, 1, {1: ("b", "2" * 64)}, {0: refused}))
    first, second = shards.items("j1", 0) or []
    assert first.rejection == refused
    assert (second.cutout, second.sha256) == ("b", "2" * 64)


def test_a_closed_shard_cannot_be_claimed_again(shards: ShardRepository) -> None:
    lease = shards.claim("j1", 1, worker="one")
    assert lease is not None
    shards.close(lease, ShardResult(1, 0))
    assert shards.claim("j1", 1, worker="two") is None


def test_expired_leases_are_freed_and_live_ones_are_not(
    shards: ShardRepository, hasty: ShardRepository
) -> None:
    hasty.claim("j1", 0, worker="dead")
    held = shards.claim("j1", 1, worker="alive")
    assert held is not None
    assert shards.free_expired() == 1
    assert shards.longest_untold("live", 10) == [("j1", 0)]
    assert shards.renew(held)


def test_cancelling_takes_the_lease_away(shards: ShardRepository) -> None:
    lease = shards.claim("j1", 0, worker="one")
    assert lease is not None
    assert shards.cancel("j1") == 2
    assert not shards.renew(lease)
    assert not shards.any_open("j1")


def test_those_never_told_come_first(shards: ShardRepository) -> None:
    shards.mark_told([("j1", 0)])
    assert shards.longest_untold("live", 2) == [("j1", 1), ("j1", 0)]


def test_a_worker_name_that_looks_like_a_field_is_only_a_name(shards: ShardRepository) -> None:
    assert shards.claim("j1", 0, worker="$state") is not None


def test_shards_of_a_job_that_was_never_accepted_are_orphans(shards: ShardRepository) -> None:
    assert shards.orphans(older_than_s=-1) == ["j1"]
    assert shards.orphans(older_than_s=60) == []


def test_workers_are_told_by_what_they_closed(shards: ShardRepository) -> None:
    assert shards.worker_rates("j1") == {}
    for n, worker in enumerate(("one", "two")):
        lease = shards.claim("j1", n, worker=worker)
        assert lease is not None
        assert shards.close(lease, ShardResult(len(lease.items), 0))
    rates = shards.worker_rates("j1")
    assert set(rates) == {"one", "two"}
    assert all(rate > 0 for rate in rates.values())
    assert shards.worker_rates("j1", seconds=-1) == {}


def test_a_claim_that_a_pause_takes_back_does_not_count(shards: ShardRepository) -> None:
    for _ in range(5):
        lease = shards.claim("j1", 0, worker="one")
        assert lease is not None
        assert lease.attempts == 1
        shards.pause("j1")
        assert not shards.renew(lease)
        assert shards.claim("j1", 0, worker="two") is None
        assert shards.any_open("j1")
        shards.unpause("j1")


def test_nobody_waits_for_live_shards_of_jobs_that_were_never_accepted_or_have_ended(record: Record) -> None:
    record.shards.insert("j1", [ITEMS], priority="live")
    assert not record.shards.any_live()  # its API has died, or accepts it only now
    record.jobs.accept(Job("j1", ("rb@1",), "live", "me", items=2, shards=1))
    assert record.shards.any_live()
    assert record.shards.claim("j1", 0, worker="one") is not None
    assert record.shards.any_live()
    record.jobs.cancel("j1")
    assert not record.shards.any_live()
    record.shards.insert("j2", [ITEMS], priority="bulk")
    record.jobs.accept(Job("j2", ("rb@1",), "bulk", "me", items=2, shards=1))
    assert not record.shards.any_live()


def test_a_workers_rate_is_of_the_shards_it_closed_lately_and_who_has_gone_has_none(record: Record) -> None:
    record.shards.insert("j", [5 * ITEMS for _ in range(4)], priority="bulk")
    now = datetime.now(UTC)

    def closed(n: int, worker: str, *, began_s: float, ended_s: float) -> None:
        times = {
            key: now - timedelta(seconds=ago) for key, ago in (("claimed", began_s), ("closed", ended_s))
        }
        record.database["shards"].update_one(
            {"_id.job": "j", "_id.n": n}, {"$set": {"state": "done", "worker": worker, **times}}
        )

    closed(0, "a:gpu0", began_s=4.5, ended_s=2.5)
    closed(1, "a:gpu0", began_s=2.5, ended_s=0.5)
    closed(2, "b:gpu0", began_s=11, ended_s=9)
    closed(3, "a:gpu1", began_s=200, ended_s=100)
    assert record.shards.worker_rates("j") == {"a:gpu0": pytest.approx(5.0)}
