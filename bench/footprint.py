"""`python -m bench.footprint`: what a cutout takes in MongoDB, by collection: documents, files and indexes.

A night of a simulated survey, each streak with its line of metadata, is ingested by the code that ingests
nights, planned, and scored by the versions in production with an engine and a reader that only pretend: all
that is on record is written as the service writes it. Sizes are those of `collStats` after a checkpoint, with
the compression of the embedded mongod.
"""

import argparse
import io
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from pydantic import SecretStr

from bench.verdict import conclude
from bench.waiting_worker import RandomEngine, WaitingReader
from cli.local.servers import local_servers
from core.job import Priority
from core.settings import Scoring, Settings
from cutouts.nights.metadata import Row
from cutouts.nights.table import read_table
from cutouts.simulator.metadata import streak_row, table
from cutouts.simulator.names import CHANNELS, Exposure, night_of
from cutouts.simulator.truth import Truth
from storage.blobs import sha256_of
from storage.cutouts import CutoutRecord
from storage.record import Record, open_record
from storage.schema import prepare
from tasks.plan import Planner
from tasks.submit_rescore import RescoreSubmitter, Rescoring
from worker.reader import Reader
from worker.scorer import ShardScorer

COLLECTIONS = ("cutouts", "outcomes", "shards")
DAY = 674
AT_ONCE = 1000
SHARD = 2000
SEED = 7


def main() -> int:
    """Fill a record and tell what it takes."""
    parser = argparse.ArgumentParser(prog="python -m bench.footprint", description=__doc__)
    parser.add_argument("--cutouts", type=int, default=50_000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="deep-asteroids-footprint-") as scratch:
        folder = Path(scratch)
        with local_servers(folder) as servers:
            scoring = Scoring(shard_size=SHARD, batch_sizes=(64,))
            settings = Settings(mongo_url=SecretStr(servers.mongo_url), state_dir=folder, scoring=scoring)
            record = open_record(settings)
            try:
                _fill(record, settings, args.cutouts)
                taken = _taken(record, args.cutouts)
            finally:
                record.close()
    each = sum(sizes["on disk"] + sizes["indexes"] for sizes in taken.values())
    figure = f"{each:,} bytes in MongoDB for each cutout with metadata and two scores, on disk with indexes"
    details: dict[str, object] = {"cutouts": args.cutouts, **taken, "bytes_per_cutout": each}
    return conclude("footprint", figure, kept=None, details=details, as_json=args.json)


def _fill(record: Record, settings: Settings, count: int) -> None:
    prepare(record.database)
    record.models.register_shipped("light")
    rng = np.random.default_rng(SEED)
    for first in range(0, count, AT_ONCE):
        rows = _rows(rng, first // AT_ONCE, min(AT_ONCE, count - first))
        record.cutouts.own([CutoutRecord(row.id, sha256_of(row.id.encode())) for row in rows])
        record.nights.join_metadata(rows)
    job = RescoreSubmitter(record).submit(Rescoring(), owner="bench")
    Planner(record, settings.scoring, name="bench").plan_one()
    reader = WaitingReader()
    readers: dict[Priority, Reader] = {"live": reader, "bulk": reader}
    scorer = ShardScorer(
        record, RandomEngine(seed=SEED), readers, settings.scoring, worker="gpu-host-1:12345"
    )
    while record.shards.any_open(job.id):
        scorer.score_shard(job.id, 0)
    if scorer.scored != count:
        raise RuntimeError(f"{scorer.scored:,} of {count:,} cutouts were scored")


def _rows(rng: np.random.Generator, part: int, count: int) -> Sequence[Row]:
    """The lines of one exposure, as they are read from its table."""
    exposure = Exposure(DAY, part // CHANNELS, part % CHANNELS)
    lines = [
        streak_row(exposure, n, Truth(name=str(n), kind="short", rb=1, sl=1, seed=n), rng)
        for n in range(count)
    ]
    found = read_table(io.BytesIO(table(lines).encode()), "ztf_streaks.txt", night=night_of(DAY))
    return list(_sound(found))


def _sound(found: Iterator[object]) -> Iterator[Row]:
    for row in found:
        if not isinstance(row, Row):
            raise RuntimeError(f"the simulator wrote what is no line: {row}")
        yield row


def _taken(record: Record, count: int) -> dict[str, dict[str, int]]:
    """Bytes for each cutout, by collection: of its documents, on disk, of the indexes."""
    record.database.client.admin.command("fsync")
    taken = {}
    for name in COLLECTIONS:
        stats = record.database.command("collStats", name)
        taken[name] = {
            "documents": round(stats["size"] / count),
            "on disk": round(stats["storageSize"] / count),
            "indexes": round(stats["totalIndexSize"] / count),
        }
    return taken


if __name__ == "__main__":
    sys.exit(main())
