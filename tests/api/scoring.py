"""What a worker does to a job's record, without a network."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from core.job import Item, Rejection, ShardResult
from core.outcome import Outcome
from storage.cutouts import CutoutRecord
from storage.record import Record
from tests.api.versions import RB, SL


def items_of(record: Record, job: str) -> list[Item]:
    """All items of a job, in order."""
    found = record.jobs.get(job)
    assert found is not None
    return [item for n in range(found.shards) for item in record.shards.items(job, n) or []]


def score_shard(
    record: Record, job: str, n: int, scores: Mapping[str, float], *, rejection: Rejection | None = None
) -> bool:
    """Close one shard, giving every cutout these scores or this rejection; False if it is taken."""
    lease = record.shards.claim(job, n, worker="test")
    if lease is None:
        return False
    wanted = [item for item in lease.items if item.cutout is not None and item.rejection is None]
    if rejection is None:
        record.cutouts.own([CutoutRecord(str(item.cutout), item.sha256, item.reference) for item in wanted])
    outcomes = [
        Outcome(str(item.cutout), version, None if rejection else score, rejection)
        for item in wanted
        for version, score in scores.items()
    ]
    record.outcomes.insert(outcomes, provenance={"job": job})
    rejected = len(lease.items) - len(wanted) if rejection is None else len(lease.items)
    return record.shards.close(lease, ShardResult(len(lease.items) - rejected, rejected))


def score_job(record: Record, job: str, scores: Mapping[str, float]) -> None:
    """Close every shard of a job."""
    found = record.jobs.get(job)
    assert found is not None
    for n in range(found.shards):
        assert score_shard(record, job, n, scores)


@contextmanager
def worker(record: Record, *, reject: str = "") -> Iterator[None]:
    """Score every shard that comes; the cutouts of a shard with an item of this name are rejected."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.02):
            for job in record.jobs.newest(3):
                for n in range(job.shards):
                    items = record.shards.items(job.id, n) or []
                    flat = Rejection("decode", "flat", "grey") if _has(reject, items) else None
                    score_shard(record, job.id, n, {RB: 0.75, SL: 0.875}, rejection=flat)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _has(name: str, items: Sequence[Item]) -> bool:
    return bool(name) and any(item.name.endswith(name) for item in items)
