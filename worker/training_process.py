"""The training process: what Celery's pool child does as it starts, and how it learns that it is to end.

Its pulse tells since when it has taken no step; the Celery process beside it replaces one that hangs.

A child works on one training and is then replaced: a device's memory is free again as soon as it is done.
"""

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from celery.signals import worker_process_init, worker_process_shutdown

from core.settings import load_settings
from core.telemetry import configure_logging
from storage.database import refusals_told
from storage.record import Record, open_record
from storage.schema import prepare, refuse_unfit
from storage.service_rights import check_service
from tasks import context
from worker.ending import when_told_to_end
from worker.progress import Progress
from worker.pulse import Heart
from worker.trainer import JobTrainer
from worker.training_device import prepare_process, training_device

_log = logging.getLogger(__name__)
PATIENCE_S = 30.0  # a mongod that restarts is back within this time

PULSE = "STREAKS_TRAINING_PULSE"
"""In the environment: the file in which the process tells how it is, every second."""

_stopping = threading.Event()
_records: list[Record] = []
_hearts: list[Heart] = []


@worker_process_init.connect  # type: ignore[untyped-decorator]
def _start(**_: object) -> None:
    when_told_to_end(_stopping.set)  # it stops within a batch: a training takes hours
    settings = load_settings()
    configure_logging(settings.log_level)
    progress = Progress()
    heart = Heart(Path(os.environ[PULSE]), doing=_starting())
    heart.start()
    _hearts.append(heart)
    try:
        os.nice(settings.training.niceness)
        device = training_device(settings.training.device, settings.scoring)
        prepare_process(device)
        record = open_record(settings, patience_s=PATIENCE_S)
        _records.append(record)
        check_service(record.database, "trainer", account=settings.mongo_account)
        with refusals_told(settings.mongo_account):
            if settings.prepares_record:
                prepare(record.database)
            else:
                refuse_unfit(record.database)
    except Exception:  # noqa: BLE001  Celery would log it and go on with a process that can't train
        _log.critical("this worker can't train and ends", exc_info=True)
        os.kill(os.getppid(), signal.SIGTERM)
        return
    context.bind_trainer(
        JobTrainer(
            record,
            settings,
            device=device,
            worker=f"{socket.gethostname()}:{os.getpid()}",
            scratch=settings.state_dir / "training",
            stopping=_stopping.is_set,
            progress=progress,
        )
    )
    heart.doing, heart.ready = lambda: progress.doing, True
    heart.beat()
    _log.info("ready", extra={"gpu": device.visible, "shared": device.shared})


def _starting() -> Callable[[], tuple[str, float]]:
    began = time.monotonic()
    return lambda: ("start", time.monotonic() - began)


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def _end(**_: object) -> None:
    while _hearts:
        _hearts.pop().stop()
    while _records:
        _records.pop().close()
