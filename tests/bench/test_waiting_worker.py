"""What stands for the engine and the reader in a bench is worked with as a worker works with real ones."""

import pytest

from bench.untroubled import refuse_troubled
from bench.waiting_worker import RandomEngine, WaitingReader
from core.job import Priority
from core.settings import Scoring
from storage.cutouts import CutoutRecord
from storage.record import Record
from tasks.plan import Planner
from tasks.submit_rescore import RescoreSubmitter, Rescoring
from worker.reader import Reader
from worker.scorer import ShardScorer


def test_a_backlog_is_scored_at_the_first_try_and_one_that_was_not_is_refused(record: Record) -> None:
    record.models.register_shipped("light")
    names = [f"strkid9999000019999{n:02}_pid999900001" for n in range(40)]
    record.cutouts.own([CutoutRecord(name, f"{n:064x}") for n, name in enumerate(names)])
    settings = Scoring(batch_sizes=(4,), shard_size=10)
    job = RescoreSubmitter(record).submit(Rescoring(), owner="bench")
    Planner(record, settings, name="bench").plan_one()
    reader = WaitingReader()
    readers: dict[Priority, Reader] = {"live": reader, "bulk": reader}
    scorer = ShardScorer(record, RandomEngine(seed=1), readers, settings, worker="bench")
    scorer.score_shard(job.id, 0)
    assert scorer.scored == 40
    refuse_troubled(record, job.id)
    record.database["shards"].update_one({"_id.job": job.id}, {"$inc": {"attempts": 1}})
    with pytest.raises(RuntimeError, match="1 shards of"):
        refuse_troubled(record, job.id)
