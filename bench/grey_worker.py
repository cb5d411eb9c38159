"""`python -m bench.grey_worker FILE FOLDER`: a Celery worker on another host, invited, without TensorFlow.

All is as it is (joining, leases, blobs, outcomes), but the engine: its score is the mean grey level.
"""

import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import numpy as np
from celery.signals import worker_process_init

from bench.weightless_engine import WeightlessEngine
from cli.hosts.joining import join
from core.job import Priority
from core.settings import load_settings
from core.telemetry import configure_logging
from cutouts.decode import DecodeLimits
from cutouts.recipes import Pixels
from storage.record import open_record
from tasks import context
from worker.engine import Scores
from worker.reader import Fetch, Reader
from worker.readers import THREADS
from worker.scorer import ShardScorer

BATCH = 8


class GreyEngine(WeightlessEngine):
    """Scores by the mean grey level over 255, taking a while for each batch."""

    name, precision, device = "mean-grey-1", "float32", "cpu"

    def __init__(self, batch_s: float) -> None:
        super().__init__()
        self._batch_s = batch_s

    def score(self, batch: Pixels, versions: Sequence[str]) -> Scores:
        """The mean of each, for every version."""
        time.sleep(self._batch_s)
        mean = batch.mean(axis=(1, 2, 3), dtype=np.float32) / np.float32(255)
        return np.repeat(mean[:, None], len(versions), axis=1)


# A spawned child imports this module twice, by its name and as its main module, and is to start once.
@worker_process_init.connect(dispatch_uid="grey")  # type: ignore[untyped-decorator]
def _start(**_: object) -> None:
    settings = load_settings()
    configure_logging("WARNING")
    scoring = settings.scoring.model_copy(update={"batch_sizes": (BATCH,)})
    record = open_record(settings, patience_s=30.0)
    mark = record.check_blobs()

    def reader(priority: Priority) -> Reader:
        threads = ThreadPoolExecutor(THREADS, thread_name_prefix=f"read-{priority}")
        limits = DecodeLimits(settings.limits.cutout_bytes, settings.limits.cutout_pixels)
        return Reader(record.blobs, cast(Fetch, None), threads, limits=limits, attempts=1, mark=mark)

    readers: dict[Priority, Reader] = {"live": reader("live"), "bulk": reader("bulk")}
    engine = GreyEngine(float(os.environ["BENCH_BATCH_S"]))
    name = os.environ["BENCH_HOST"]
    context.bind_scorer(ShardScorer(record, engine, readers, scoring, worker=name))


def main() -> None:
    """Join, then work until SIGTERM."""
    os.environ |= join(Path(sys.argv[1]), Path(sys.argv[2]))
    from tasks.app import app
    from tasks.queues import QUEUE_OF

    app.conf.imports = (*app.conf.imports, "bench.grey_worker")
    queues = ",".join(QUEUE_OF[priority] for priority in ("live", "bulk"))
    options = ["--without-gossip", "--without-mingle", "--loglevel", "WARNING"]
    app.worker_main(["worker", "-Q", queues, "-n", f"grey-{os.getpid()}@%h", *options])


if __name__ == "__main__":
    main()
