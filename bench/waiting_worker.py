"""`python -m bench.waiting_worker`: a Celery worker whose engine and reader cost nothing.

All else is as it is: claims, leases, heartbeats, journaled outcomes, production fields, closing. BENCH_BATCH
is the engine's batch, BENCH_RATE its cutouts/s (`inf`: at once), BENCH_SCORES whether cutouts get the `same`
or `random` scores, BENCH_STATEMENTS a folder in which it counts what it asks of MongoDB, BENCH_NAME what the
worker is called, if not `waiting` and its process id.
"""

import math
import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from celery.signals import worker_process_init

from bench.statements import StatementCounter
from bench.weightless_engine import WeightlessEngine
from core.instrument import Instrument
from core.job import Item
from core.settings import load_settings
from core.telemetry import configure_logging
from cutouts.instruments import ZTF
from cutouts.recipes import Pixels
from storage.record import open_record
from tasks import context
from worker.engine import Scores
from worker.reader import Reader, Reading, ReadItem
from worker.scorer import ShardScorer

PIXELS: Pixels = np.zeros((1, 1, 1), np.uint8)


class WaitingEngine(WeightlessEngine):
    """Gives every cutout the same score, at a device's rate in cutouts/s or as fast as it can."""

    name, precision, device = "waiting-1", "none", "none"

    def __init__(self, *, per_s: float = math.inf) -> None:
        super().__init__()
        self._per_s = per_s

    def score(self, batch: Pixels, versions: Sequence[str]) -> Scores:
        """One half for each."""
        if self._per_s < math.inf:
            time.sleep(len(batch) / self._per_s)
        return np.full((len(batch), len(versions)), 0.5, np.float32)


class RandomEngine(WaitingEngine):
    """Gives every cutout other scores: they compress no better than real ones and spread over an index."""

    def __init__(self, *, per_s: float = math.inf, seed: int) -> None:
        super().__init__(per_s=per_s)
        self._rng = np.random.default_rng(seed)

    def score(self, batch: Pixels, versions: Sequence[str]) -> Scores:
        """Uniform from 0 to 1."""
        return self._rng.random(super().score(batch, versions).shape, np.float32)


class WaitingReading(Reading):
    """Items as they would be after reading, each with the same pixel."""

    def __init__(self, items: Sequence[tuple[int, Item]], recipes: Sequence[str]) -> None:
        super().__init__(iter(()), ahead=0)
        self._items, self._recipes = iter(items), recipes
        self.all_begun = True

    def __next__(self) -> ReadItem:
        index, item = next(self._items)
        pixels = dict.fromkeys(self._recipes, PIXELS)
        return ReadItem(index, item.cutout, item.sha256, content=item.sha256, pixels=pixels)

    def is_ready(self, n: int) -> bool:
        """Nothing is waited for."""
        return True


class WaitingReader(Reader):
    """Gives every item the same pixel."""

    def __init__(self) -> None:
        """It reads nothing, and needs nothing for it."""

    def read(
        self, items: Sequence[tuple[int, Item]], recipes: Sequence[str], instrument: Instrument = ZTF
    ) -> WaitingReading:
        """Each item as it would be after reading."""
        return WaitingReading(items, recipes)


# A spawned child imports this module twice, by its name and as its main module, and is to start once.
@worker_process_init.connect(dispatch_uid="waiting")  # type: ignore[untyped-decorator]
def _start(**_: object) -> None:
    settings = load_settings()
    configure_logging("WARNING")
    StatementCounter(Path(os.environ["BENCH_STATEMENTS"])).register()
    scoring = settings.scoring.model_copy(update={"batch_sizes": (int(os.environ["BENCH_BATCH"]),)})
    per_s = float(os.environ["BENCH_RATE"])
    is_random = os.environ["BENCH_SCORES"] == "random"
    engine = RandomEngine(per_s=per_s, seed=os.getpid()) if is_random else WaitingEngine(per_s=per_s)
    reader = WaitingReader()
    scorer = ShardScorer(
        open_record(settings, patience_s=30.0),
        engine,
        {"live": reader, "bulk": reader},
        scoring,
        worker=os.environ.get("BENCH_NAME", f"waiting:{os.getpid()}"),
    )
    context.bind_scorer(scorer)


def main() -> None:
    """Work until SIGTERM."""
    from tasks.app import app
    from tasks.queues import QUEUE_OF

    app.conf.imports = (*app.conf.imports, "bench.waiting_worker")
    queues = ",".join(QUEUE_OF[priority] for priority in ("live", "bulk"))
    options = ["--without-gossip", "--without-mingle", "--loglevel", "WARNING"]
    app.worker_main(["worker", "-Q", queues, "-n", f"waiting-{os.getpid()}@%h", *options])


if __name__ == "__main__":
    main()
