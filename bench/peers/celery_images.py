"""`python -m bench.peers.celery_images`: a plain Celery task for each picture, as tutorials have it."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import celery
from celery.signals import worker_process_init

from bench.peers.openvino_pair import OpenVinoPair
from bench.peers.pixels import read_pixels
from bench.peers.told import serve, told

PROCESSES = len(os.sched_getaffinity(0))
POLL_S = 0.02
TIMEOUT_S = 600.0

app = celery.Celery("bench.peers.celery_images", set_as_current=False)
app.conf.update(worker_proc_alive_timeout=120, task_ignore_result=True)
_held: dict[str, Any] = {}


@worker_process_init.connect(dispatch_uid="picture")  # type: ignore[untyped-decorator]
def _load(**_: object) -> None:
    mine = told()
    _held["pair"] = OpenVinoPair(mine.graphs, threads=1)
    _held["fields"] = mine.fields
    _held["database"] = mine.database()
    _held["database"]["ready"].insert_one({"pid": os.getpid()})


@app.task(name="picture.score")  # type: ignore[untyped-decorator]
def score_picture(collection: str, path: str) -> None:
    """Score one picture and put it on record."""
    (row,) = _held["pair"](read_pixels(Path(path).read_bytes())[None]).tolist()
    scores = dict(zip(_held["fields"], row, strict=True))
    _held["database"][collection].insert_one({"_id": Path(path).name, **scores})


def main() -> None:
    """Be a worker where that is said; else start one and have it score as told."""
    mine = told()
    os.environ["CELERY_BROKER_URL"] = mine.redis_url
    if sys.argv[1:] == ["worker"]:
        app.worker_main(
            ["worker", "-c", str(PROCESSES), "--without-gossip", "--without-mingle", "--loglevel", "WARNING"]
        )
        return
    database = mine.database()
    worker = subprocess.Popen(
        [sys.executable, "-m", "bench.peers.celery_images", "worker"], stdout=sys.stderr
    )
    try:
        _await_count(database["ready"], PROCESSES)

        def score(collection: str) -> None:
            paths = mine.names()
            for path in paths:
                score_picture.delay(collection, str(path))
            _await_count(database[collection], len(paths))

        settings: dict[str, object] = {
            "celery": celery.__version__,
            "pool": f"{PROCESSES} processes of one thread",
            "writes": "an insert each",
        }
        serve(settings, score)
    finally:
        worker.terminate()
        worker.wait(60)


def _await_count(collection: Any, count: int) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while collection.count_documents({}) < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{collection.name} has not {count} documents after {TIMEOUT_S:.0f} s")
        time.sleep(POLL_S)


if __name__ == "__main__":
    main()
