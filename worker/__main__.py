"""`python -m worker`: a Celery worker for both score queues, live first, with one scoring process.

With `--train` one for the queue of trainings instead, with one training process.
"""

import argparse
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from pymongo.errors import PyMongoError

from core.errors import Misconfigured, NotInvited, ServiceError
from core.metrics_server import Told, serve_metrics
from core.settings import Settings, load_settings
from core.telemetry import configure_logging
from worker.metrics import watch_metrics
from worker.seat import Seat, take_seat
from worker.watchdog import Watchdog, worker_metrics

IDLE_CHECK_S = 2.0
IDLE_ROUNDS = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Work until SIGTERM; finishes the shard at hand first.

    Exits 78 where its device can't be used, 77 where this host is not, or no more, invited.
    """
    args = _arguments(argv)
    try:
        settings = load_settings()
        configure_logging(settings.log_level)
        settings.required_mongo_url()
        settings.required_redis_url()
        settings.scoring.allow_cpu |= args.allow_cpu
        with tempfile.TemporaryDirectory(prefix="worker-") as folder:
            if args.train:
                return _train(settings, Path(folder) / "pulse")
            seat = take_seat(settings.scoring, wanted=args.gpus, folder=Path(folder))
            return _score(settings, seat, until_idle=args.exit_when_idle)
    except ServiceError as error:
        return _fail(str(error), _status_of(error))


def _status_of(error: ServiceError) -> int:
    if isinstance(error, Misconfigured):
        return os.EX_CONFIG
    return os.EX_NOPERM if isinstance(error, NotInvited) else 1


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="worker", description="Score shards with the networks in production."
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--exit-when-idle", action="store_true", help="end when there is no work")
    what.add_argument("--train", action="store_true", help="train networks instead of scoring with them")
    parser.add_argument(
        "--gpus", metavar="all | 0,2", help="`./streaks worker` starts a process for each; none: the first"
    )
    parser.add_argument(
        "--allow-cpu", action="store_true", help="score on the CPU where a GPU is there and can't be used"
    )
    args = parser.parse_args(argv)
    if args.train and (args.gpus or args.allow_cpu):
        parser.error("a training takes the device of the setting training.device; expected no --gpus with it")
    return args


def _fail(sentence: str, status: int) -> int:
    sys.stderr.write(f"worker: {sentence}\n")
    return status


def _score(settings: Settings, seat: Seat, *, until_idle: bool) -> int:
    """Score on a device until SIGTERM; returns the exit status."""
    from tasks.queues import QUEUE_OF

    sys.stderr.write(f"worker: scoring on {seat.told}\n")
    seat.leave()
    watchdog = Watchdog(
        Path(seat.pulse),
        settings.watchdog,
        before_kill=lambda n, why: replace(seat, replaced=n, replaced_why=why).leave(),
        give_up=lambda: os.kill(os.getpid(), signal.SIGTERM),
    )
    threading.Thread(target=watchdog.run, name="watchdog", daemon=True).start()
    serve_metrics(settings, Told(partial(worker_metrics, watchdog, seat.metrics), lambda: watchdog.unready))
    if until_idle:
        threading.Thread(target=_end_when_idle, args=[settings, seat], name="idle", daemon=True).start()
    queues = ",".join(QUEUE_OF[priority] for priority in ("live", "bulk"))
    _work(settings, module="worker.process", queues=queues, name=f"score-{seat.device}-{seat.token}@%h")
    complaint = seat.complaint()
    if watchdog.gave_up:
        return _fail(watchdog.why, 1)
    return 0 if complaint is None else _fail(*complaint)


def _train(settings: Settings, pulse: Path) -> int:
    """Train until SIGTERM; returns the exit status."""
    from tasks.queues import TRAIN

    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # the device may be shared
    os.environ["STREAKS_TRAINING_PULSE"] = str(pulse)
    watchdog = Watchdog(
        pulse,
        settings.watchdog.model_copy(update={"answer_s": settings.training.stalled_s}),
        before_kill=lambda *_: None,
        give_up=lambda: os.kill(os.getpid(), signal.SIGTERM),
        of="training",
    )
    threading.Thread(target=watchdog.run, name="watchdog", daemon=True).start()
    serve_metrics(
        settings,
        Told(
            lambda: watch_metrics(ready=not watchdog.fault, replaced=watchdog.replaced),
            lambda: watchdog.fault,
        ),
    )
    one_each = ("--max-tasks-per-child", "1")
    _work(settings, *one_each, module="worker.training_process", queues=TRAIN, name=f"train-{os.getpid()}@%h")
    return _fail(watchdog.why, 1) if watchdog.gave_up else 0


def _work(settings: Settings, *more: str, module: str, queues: str, name: str) -> None:
    """Be a Celery worker until SIGTERM; raises NotInvited where the service lets this host in no more."""
    from storage.record import open_blobs
    from tasks.app import app
    from tasks.redis_account import check_redis_account
    from worker.ending import expect_none_yet
    from worker.guest_watch import GuestWatch

    expect_none_yet()
    check_redis_account(settings.required_redis_url(), queue=queues.partition(",")[0])
    watch = None if settings.guest is None else GuestWatch(settings.guest, open_blobs(settings))
    app.conf.imports = (*app.conf.imports, module)
    options = ["--without-gossip", "--without-mingle", "--loglevel", settings.log_level, *more]
    if watch is not None:
        watch.start()
    app.worker_main(["worker", "-Q", queues, "-n", name, *options])
    if watch is not None:
        watch.raise_if_refused()


def _end_when_idle(settings: Settings, seat: Seat) -> None:
    """SIGTERM this process once its child is ready and no job has been wanted for a few rounds."""
    from storage.record import open_record

    record = open_record(settings, patience_s=30.0)
    idle = 0
    while idle < IDLE_ROUNDS:
        time.sleep(IDLE_CHECK_S)
        try:
            ready = record.workers.is_ready(seat.token)
            idle = idle + 1 if ready and not record.jobs.any_wanted() else 0
        except PyMongoError:
            idle = 0
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
