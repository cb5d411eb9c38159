"""`python -m bench.peers.ray_batches`: Ray Data's batch inference, an actor for each processor.

Each actor decodes and scores, on one thread. Ray starts the actors of a data set anew for each run. Their
start does not count: the clock starts when all have loaded the networks, and no picture is read before.
"""

import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import ray

from bench.peers.openvino_pair import OpenVinoPair
from bench.peers.pixels import read_pixels
from bench.peers.told import Told, serve, told

CPUS = len(os.sched_getaffinity(0))


class Scorer:
    """An actor with both networks, which writes what it has scored."""

    def __init__(self, mine: Told, collection: str, ready: str) -> None:
        self._pair, self._fields = OpenVinoPair(mine.graphs, threads=1), mine.fields
        self._collection = mine.database()[collection]
        (Path(ready) / str(os.getpid())).touch()

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Score a batch and put it on record."""
        rows = self._pair(np.ascontiguousarray(batch["pixels"])).tolist()
        self._collection.insert_many(
            [
                {"_id": str(name)} | dict(zip(self._fields, row, strict=True))
                for name, row in zip(batch["name"], rows, strict=True)
            ],
            ordered=False,
        )
        return {"name": batch["name"]}


def main() -> None:
    """Start Ray on this machine, then score as told."""
    mine = told()
    context = ray.init(
        num_cpus=CPUS,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=512 * 2**20,
        runtime_env={"env_vars": {"PYTHONPATH": str(Path.cwd())}},
    )
    ready = Path(context.address_info["session_dir"]) / "ready"
    ray.data.DataContext.get_current().enable_progress_bars = False

    def decoded(row: dict[str, Any]) -> dict[str, Any]:
        while len(list(ready.iterdir())) < CPUS:
            time.sleep(0.01)
        path = Path(row["item"])
        return {"name": path.name, "pixels": read_pixels(path.read_bytes())}

    def score(collection: str) -> float:
        shutil.rmtree(ready, ignore_errors=True)
        ready.mkdir()
        paths = [str(path) for path in mine.names()]
        scored = (
            ray.data.from_items(paths, override_num_blocks=max(1, len(paths) // mine.batch))
            .map(decoded, num_cpus=1)
            .map_batches(
                Scorer,
                fn_constructor_args=[mine, collection, str(ready)],
                batch_size=mine.batch,
                compute=ray.data.ActorPoolStrategy(size=CPUS),
                num_cpus=1,
            )
        )
        count = sum(len(batch["name"]) for batch in scored.iter_batches(batch_size=None))
        ended = time.time()
        if count != len(paths):
            raise RuntimeError(f"{count} of {len(paths)} cutouts came out of Ray Data")
        return ended - max(one.stat().st_mtime for one in ready.iterdir())

    settings = {
        "ray": ray.__version__,
        "actors": f"{CPUS} of one thread, which decode too, batches of {mine.batch}",
        "writes": "an insert for each batch",
        "python": sys.version.split()[0],
    }
    serve(settings, score)


if __name__ == "__main__":
    main()
