"""`python -m worker`: a Celery worker for both score queues, live first, with one scoring process.

With `--train` one for the queue of trainings instead, with one training process.
"""

import argparse
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from pymongo.errors import PyMongoError

from core.errors import ServiceError
from core.settings import Settings, load_settings
from core.telemetry import configure_logging

IDLE_CHECK_S = 2.0
IDLE_ROUNDS = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Work until SIGTERM; finishes the shard at hand first."""
    parser = argparse.ArgumentParser(
        prog="worker", description="Score shards with the networks in production."
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--exit-when-idle", action="store_true", help="end when there is no work")
    what.add_argument("--train", action="store_true", help="train networks instead of scoring with them")
    args = parser.parse_args(argv)
    try:
        settings = load_settings()
        configure_logging(settings.log_level)
        settings.required_mongo_url()
        settings.required_redis_url()
    except ServiceError as error:
        sys.stderr.write(f"worker: {error}\n")
        return 1
    if args.exit_when_idle:
        threading.Thread(target=_end_when_idle, args=[settings], name="idle", daemon=True).start()
    _work(settings, train=args.train)
    return 0


def _work(settings: Settings, *, train: bool) -> None:
    """Be a Celery worker until SIGTERM."""
    from tasks.app import app
    from tasks.queues import QUEUE_OF, TRAIN

    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # the device may be shared
    module = "worker.training_process" if train else "worker.process"
    app.conf.imports = (*app.conf.imports, module)
    queues = TRAIN if train else ",".join(QUEUE_OF[priority] for priority in ("live", "bulk"))
    name = f"{'train' if train else 'score'}-{os.getpid()}@%h"
    options = ["--without-gossip", "--without-mingle", "--loglevel", settings.log_level]
    options += ["--max-tasks-per-child", "1"] if train else []
    app.worker_main(["worker", "-Q", queues, "-n", name, *options])


def _end_when_idle(settings: Settings) -> None:
    """SIGTERM this process once its child is ready and no job has been open for a few rounds."""
    from storage.record import open_record

    record = open_record(settings, patience_s=30.0)
    idle = 0
    while idle < IDLE_ROUNDS:
        time.sleep(IDLE_CHECK_S)
        try:
            ready = any(_is_child(worker.name) for worker in record.workers.ready())
            idle = idle + 1 if ready and not record.jobs.open_ids() else 0
        except PyMongoError:
            idle = 0
    os.kill(os.getpid(), signal.SIGTERM)


def _is_child(worker: str) -> bool:
    """Whether this process started the scoring process of this name, host:pid."""
    host, _, pid = worker.rpartition(":")
    status = Path("/proc") / pid / "status"
    return (
        host == socket.gethostname() and status.exists() and f"PPid:\t{os.getpid()}\n" in status.read_text()
    )


if __name__ == "__main__":
    sys.exit(main())
