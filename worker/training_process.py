"""The training process: what Celery's pool child does as it starts, and how it learns that it is to end.

A child works on one training and is then replaced: a device's memory is free again as soon as it is done.
"""

import logging
import os
import signal
import socket
import threading

from billiard import active_children
from celery.signals import worker_process_init, worker_process_shutdown, worker_shutting_down

from core.settings import load_settings
from core.telemetry import configure_logging
from storage.database import ensure_indexes
from storage.record import Record, open_record
from tasks import context
from worker.trainer import JobTrainer
from worker.training_device import prepare_process, training_device

_log = logging.getLogger(__name__)
TO_END = signal.SIGUSR2
PATIENCE_S = 30.0  # a mongod that restarts is back within this time

_stopping = threading.Event()
_records: list[Record] = []


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def _tell_children(**_: object) -> None:
    """Celery waits for its children, and a training takes hours: it is told to stop within a batch."""
    for child in active_children():
        os.kill(child.pid, TO_END)


@worker_process_init.connect  # type: ignore[untyped-decorator]
def _start(**_: object) -> None:
    signal.signal(TO_END, lambda *_: _stopping.set())
    settings = load_settings()
    configure_logging(settings.log_level)
    try:
        os.nice(settings.training.niceness)
        device = training_device(settings.training.device, settings.scoring)
        prepare_process(device)
        record = open_record(settings, patience_s=PATIENCE_S)
        _records.append(record)
        if settings.guest is None:
            ensure_indexes(record.database)
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
        )
    )


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def _end(**_: object) -> None:
    while _records:
        _records.pop().close()
