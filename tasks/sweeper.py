"""The maintenance process: Celery beat, its queue's worker, planner and notifications, without TensorFlow."""

import logging
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable
from functools import partial

from pymongo.errors import PyMongoError

from core.errors import ServiceError, Unavailable
from core.metrics_server import Told, serve_metrics
from core.settings import load_settings
from core.telemetry import configure_logging
from storage.record import Record, open_record
from storage.retention import RetentionKeeper
from storage.schema import refuse_unfit
from storage.service_rights import check_service

_log = logging.getLogger(__name__)
RETRY_S = 3.0


def main() -> int:
    """Sweep, plan and notify until SIGTERM."""
    try:
        settings = load_settings()
        configure_logging(settings.log_level)
        settings.required_mongo_url()
        settings.required_redis_url()
    except ServiceError as error:
        sys.stderr.write(f"sweeper: {error}\n")
        return 1
    for chatty in ("celery.beat", "celery.app.trace", "celery.worker.strategy"):
        logging.getLogger(chatty).setLevel(logging.WARNING)  # a line each for every sweep otherwise
    from tasks import context
    from tasks.app import app
    from tasks.messenger import Messenger
    from tasks.metrics import ServiceMetrics
    from tasks.notifications import Announcer, Dispatcher
    from tasks.owed import tell_owed
    from tasks.plan import Planner
    from tasks.queues import MAINTENANCE
    from tasks.redis_account import check_redis_account
    from tasks.sweep import RecordSweeper

    record = open_record(settings)
    stop = threading.Event()
    messenger = Messenger(app, settings.required_redis_url())
    planner = Planner(
        record,
        settings.scoring,
        name=_planner_name(),
        tell=partial(tell_owed, record, messenger, "bulk"),
    )
    beside: dict[str, Callable[[threading.Event], None]] = {
        "planner": planner.run,
        "announcer": Announcer(record, settings.notifications).run,
        "dispatcher": Dispatcher(record, settings).run,
    }
    metrics = ServiceMetrics(record, messenger)
    try:
        serve_metrics(settings, Told(metrics.text))
        _await_fit(record, settings.mongo_account)
        check_redis_account(settings.required_redis_url(), queue=MAINTENANCE)
    except ServiceError as error:
        sys.stderr.write(f"sweeper: {error}\n")
        return 1
    for name, run in beside.items():
        threading.Thread(target=run, args=[stop], name=name, daemon=True).start()
    keeper = RetentionKeeper(record, settings.retention, logs=settings.state_dir / "logs")
    context.bind_sweeper(RecordSweeper(record, messenger, metrics, keeper))
    schedule = settings.state_dir / "beat-schedule"
    schedule.parent.mkdir(parents=True, exist_ok=True)
    options = ["--without-gossip", "--without-mingle", "--loglevel", settings.log_level]
    beat = ["-B", "-s", str(schedule)]
    try:
        app.worker_main(["worker", "-Q", MAINTENANCE, "-P", "solo", "-n", "sweeper@%h", *beat, *options])
    finally:
        stop.set()  # a plan or a message that is left goes on elsewhere when its lease has run out
    return 0


def _await_fit(record: Record, account: str) -> None:
    """Return once MongoDB answers; raises Misconfigured for a database that is not for this release."""
    while True:
        try:
            check_service(record.database, "beat", account=account)
            refuse_unfit(record.database)
        except (PyMongoError, Unavailable) as error:
            _log.warning("the record is away, trying again: %s", type(error).__name__)
            time.sleep(RETRY_S)
        else:
            return


def _planner_name() -> str:
    """Nobody else's: hosts may have one name, and their processes one number."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


if __name__ == "__main__":
    sys.exit(main())
