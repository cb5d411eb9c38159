"""The ledger of a shard: outcomes go on record in groups, each once, and no item is left out."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from pymongo.collection import Collection
from pymongo.errors import AutoReconnect

from core.job import Item, Job, Lease, Rejection
from storage.cutouts import CutoutRecord
from storage.record import Record
from tests.record import register
from worker import ledger
from worker.ledger import GROUP_CUTOUTS, ShardLedger
from worker.reader import ReadItem

STREAK = "strkid6740938304150004_pid674093830415"
VERSIONS = ("rb@1", "sl@1")
PIXELS = {"deepstreaks-1": np.zeros((1, 1, 1), np.uint8)}


def content(n: int) -> str:
    return f"{n:064x}"


def read(
    n: int, cutout: str | None = None, why: Rejection | None = None, *, of: int | None = None
) -> ReadItem:
    sha = content(n if of is None else of)
    return ReadItem(n, cutout or sha, sha, sha, {} if why else PIXELS, decode_rejection=why)


def open_ledger(record: Record, reads: Sequence[ReadItem], **provenance: object) -> ShardLedger:
    register(record, *VERSIONS)
    items = tuple(Item(str(r.index), r.cutout, r.sha256) for r in reads)
    job = Job("j", VERSIONS, "bulk", "me", items=len(items), shards=1)
    return ShardLedger(record, job, [Lease("j", 0, "t", 1, items)], rejections={}, provenance=provenance)


def scores(reads: Sequence[ReadItem]) -> dict[int, dict[str, float]]:
    return {r.index: dict.fromkeys(VERSIONS, 0.5) for r in reads if r.pixels}


def on_record(record: Record) -> int:
    return record.database["outcomes"].count_documents({})


def test_a_group_goes_on_record_while_the_next_is_scored_and_the_rest_in_the_end(record: Record) -> None:
    reads = [read(n) for n in range(GROUP_CUTOUTS + 1)]
    with open_ledger(record, reads) as shard:
        shard.add(reads[:10], scores(reads[:10]), "float32")
        assert on_record(record) == 0
        shard.add(reads[10:-1], scores(reads[10:-1]), "float32")
        shard.add(reads[-1:], scores(reads[-1:]), "float32")
        until = time.monotonic() + 20
        while on_record(record) < 2 * GROUP_CUTOUTS and time.monotonic() < until:
            time.sleep(0.01)
        assert on_record(record) == 2 * GROUP_CUTOUTS
        [result] = shard.close()
    assert (result.scored, result.rejected) == (len(reads), 0)
    assert on_record(record) == 2 * len(reads)


def test_a_slow_device_does_not_wait_for_more_than_one_batch(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "GROUP_S", 0.0)
    reads = [read(n) for n in range(3)]
    with open_ledger(record, reads) as shard:
        for n, one in enumerate(reads):
            shard.add([one], scores([one]), "float32")
            assert on_record(record) >= 2 * n  # the write before this one is over


def test_of_one_id_the_first_content_that_decodes_is_scored_and_each_other_item_is_told_why(
    record: Record,
) -> None:
    cut = Rejection("decode", "truncated", "half a file")
    reads = [
        read(0, STREAK, cut),
        read(1, STREAK),
        read(2, STREAK),
        read(3, STREAK, of=1),
        read(4, None, cut),
    ]
    with open_ledger(record, reads) as shard:
        shard.add(reads, scores(reads), "float32")
        [result] = shard.close()
    assert (result.scored, result.rejected) == (2, 3)
    assert {index: why.reason for index, why in result.rejections.items()} == {0: "truncated", 2: "conflict"}
    assert set(record.outcomes.existing([STREAK, *map(content, range(5))], VERSIONS)) == {
        (cutout, version) for cutout in (STREAK, content(0), content(4)) for version in VERSIONS
    }


def test_what_another_worker_wrote_meanwhile_stays_and_counts(record: Record) -> None:
    reads = [read(n) for n in range(4)]
    with open_ledger(record, reads) as first, open_ledger(record, reads) as second:
        first.add(reads[:2], {r.index: {"rb@1": 0.25, "sl@1": float("nan")} for r in reads[:2]}, "float32")
        first.flush()
        second.add(reads, scores(reads), "float32")
        [result] = second.close()
    assert (result.scored, result.rejected) == (2, 2)
    assert record.outcomes.find([content(0)], ["rb@1"])[content(0), "rb@1"].score == 0.25


def test_a_write_that_failed_is_told_by_the_next_call(record: Record) -> None:
    reads = [read(n) for n in range(GROUP_CUTOUTS)]
    with open_ledger(record, reads, worker=object()) as shard:
        shard.add(reads, scores(reads), "float32")
        with pytest.raises(Exception, match="cannot encode object"):
            shard.close()
    assert on_record(record) == 0


def test_a_backlog_knows_who_owns_its_ids_but_for_bytes_that_have_changed_since(record: Record) -> None:
    register(record, *VERSIONS)
    ids = [STREAK, STREAK.replace("150004", "150005")]
    record.cutouts.own([CutoutRecord(cutout, content(0)) for cutout in ids])
    items = tuple(Item(cutout, cutout, content(0), reference=f"memory://{cutout}") for cutout in ids)
    job = Job("j", VERSIONS, "bulk", "me", items=2, shards=1, kind="rescore", selection="")
    reads = [read(0, ids[0], of=0), read(1, ids[1], of=1)]
    lease = Lease("j", 0, "t", 1, items)
    with ShardLedger(record, job, [lease], rejections={}, provenance={}) as shard:
        shard.add(reads, scores(reads), "float32")
        [result] = shard.close()
    assert {index: why.reason for index, why in result.rejections.items()} == {1: "conflict"}
    assert set(record.outcomes.existing(ids, VERSIONS)) == {(ids[0], version) for version in VERSIONS}


@pytest.mark.parametrize("is_behind", [False, True])
def test_a_connection_that_closes_while_production_fields_are_written_does_not_cost_the_shard(
    record: Record, monkeypatch: pytest.MonkeyPatch, *, is_behind: bool
) -> None:
    """Once, before or after the server has done it: the driver does not repeat this write by itself."""
    reads = [read(0)]
    record.cutouts.announce([CutoutRecord(content(0), content(0))])
    write = Collection.bulk_write
    cuts: list[object] = []

    def cut_once(*given: Any, **options: Any) -> Any:
        if not cuts:
            cuts.append(write(*given, **options) if is_behind else None)
            raise AutoReconnect("connection closed")
        return write(*given, **options)

    with open_ledger(record, reads) as shard, monkeypatch.context() as chance:
        chance.setattr(Collection, "bulk_write", cut_once)
        shard.add(reads, scores(reads), "float32")
        assert [result.scored for result in shard.close()] == [1]
    assert len(cuts) == 1
    assert (record.cutouts.get(content(0)) or {})["rb"] == 0.5


def test_production_fields_that_a_mongod_that_stays_away_cost_are_set_as_the_shard_is_worked_on_again(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = [read(0)]
    record.cutouts.announce([CutoutRecord(content(0), content(0))])

    def cut(*_: object, **__: object) -> None:
        raise AutoReconnect("connection closed")

    with open_ledger(record, reads) as shard, monkeypatch.context() as chance:
        chance.setattr(Collection, "bulk_write", cut)
        shard.add(reads, scores(reads), "float32")
        with pytest.raises(AutoReconnect):
            shard.close()
    with open_ledger(record, reads) as again:
        assert [result.scored for result in again.close()] == [1]
    assert (record.cutouts.get(content(0)) or {})["rb"] == 0.5
