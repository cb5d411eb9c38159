"""The scoring process: what Celery's pool child does as it starts, and what it tells of itself."""

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from celery.signals import worker_process_init, worker_process_shutdown
from pymongo.errors import PyMongoError

from core.errors import Unavailable
from core.job import Priority
from core.settings import Settings, load_settings
from core.telemetry import configure_logging
from storage.database import refusals_told
from storage.record import Record, open_record
from storage.schema import prepare, refuse_unfit
from storage.service_rights import check_service
from storage.workers import WorkerInfo
from tasks import context
from worker.batch_engine import BatchEngine
from worker.canary import CanaryCheck
from worker.ending import told_enough, when_told_to_end
from worker.engine import Engine
from worker.engines import make_engine
from worker.metrics import note_engine, note_invitation, scoring_metrics, watch_metrics, write_metrics
from worker.pulse import Heart
from worker.reader import Reader
from worker.readers import open_reader
from worker.scorer import ShardScorer
from worker.seat import CPU, Seat, seat_of_this_process
from worker.stages import Stages
from worker.watched_engine import WatchedEngine

_log = logging.getLogger(__name__)
REPORT_EVERY_S = 5.0
RETRY_START_S = 3.0
FIRST_VERSIONS_S = 3.0
PATIENCE_S = 30.0  # a mongod that restarts is back within this time


class ScoringProcess:
    """One engine with the production networks, and the thread that reports it."""

    def __init__(
        self, settings: Settings, engine: Engine, seat: Seat, heart: Heart, stages: Stages | None = None
    ) -> None:
        self._stages = stages or Stages()
        self.name = f"{socket.gethostname()}:{seat.device}"
        self._seat, self._heart = seat, heart
        self._is_guest = settings.guest is not None
        if settings.guest_until is not None:
            note_invitation(settings.guest_until)
        self._record = open_record(settings, patience_s=PATIENCE_S)
        self._engine = WatchedEngine(engine, room=max(settings.scoring.batch_sizes))
        self._device_bytes = engine.device_bytes if isinstance(engine, BatchEngine) else lambda: None
        self._ended = False
        self._changed = threading.Event()
        self._canary = CanaryCheck(self._record.canaries, self._engine, lambda: self.name)
        self._canary_s = settings.watchdog.canary_s
        check_service(self._record.database, "worker", account=settings.mongo_account)
        with refusals_told(settings.mongo_account):
            if settings.prepares_record:
                prepare(self._record.database)
                self._record.models.register_shipped(settings.shipped)
            else:
                refuse_unfit(self._record.database)
            self.scorer = _scorer(settings, self._record, self._engine, self.name)
        self._stages.end("record")

    def start(self) -> None:
        """Load and warm the production networks, ask the canary, then say that this worker is ready."""
        self._heart.doing = lambda: self._engine.doing
        versions = self._in_production()
        self.scorer.load(versions)
        self._stages.end("networks")
        self._ask_canary()
        self._stages.end("canary")
        self._report()
        self._stages.end("presence")
        self._heart.beat()  # at once: one that stops now is not thought to be starting still
        threading.Thread(target=self._keep_reporting, name="presence", daemon=True).start()
        threading.Thread(target=self._keep_asking, name="canary", daemon=True).start()
        where: dict[str, object] = {
            "worker": self.name,
            "device": self._engine.device,
            "engine": self._engine.name,
        }
        where |= {"versions": versions, "took_s": self._stages.took_s}
        _log.info("ready" if self._heart.ready else "started", extra=where)

    def drain(self) -> None:
        """Finish the shard at hand, take no other, and say so at once."""
        self.scorer.draining = True
        self._changed.set()

    def stop(self) -> None:
        """Say that this worker has ended."""
        self._ended = True
        self._changed.set()
        self._heart.stop()
        self._record.workers.leave(self.name, token=self._seat.token)
        self._record.close()

    def _in_production(self) -> list[str]:
        """What is in production. Where another process puts the first versions there right now, a snapshot
        may still lack them: a worker that holds none would not be ready until a job comes."""
        deadline = time.monotonic() + FIRST_VERSIONS_S
        while not (versions := self._record.models.production()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return versions

    def _keep_reporting(self) -> None:
        while True:
            self._changed.wait(REPORT_EVERY_S)
            self._changed.clear()
            if self._ended:
                return
            try:
                self._report()
            except PyMongoError as error:
                _log.warning("presence not reported: %s", type(error).__name__)

    def _report(self) -> None:
        info = WorkerInfo(
            name=self.name,
            engine=self._engine.name,
            device=self._engine.device,
            versions=self._engine.versions,
            scored=self.scorer.scored,
            rss_bytes=_rss_bytes(),
            pid=os.getpid(),
            draining=self.scorer.draining and not self._heart.unwell,
            unwell=self._heart.unwell,
            replaced=self._seat.replaced,
            replaced_why=self._seat.replaced_why,
        )
        note_engine(info.versions, self._device_bytes())
        told = None
        if self._is_guest:  # nothing that collects metrics reaches an invited host: the sweeper tells them
            counted = scoring_metrics() + watch_metrics(ready=info.ready, replaced=info.replaced)
            told = counted.decode()
        self.name = self.scorer.worker = self._record.workers.report(
            info, token=self._seat.token, metrics=told
        )
        self._heart.ready = info.ready
        write_metrics(self._seat.metrics)

    def _keep_asking(self) -> None:
        while not self._ended and not self._heart.unwell:
            self._engine.failed.wait(self._canary_s)
            self._engine.failed.clear()
            self._ask_canary()

    def _ask_canary(self) -> None:
        """Take no work any more, and say why, where the engine does not score as it should."""
        fault = self._canary.fault()
        if fault is None or self._ended:
            return
        _log.error("this worker takes no work: %s", fault, extra={"worker": self.name})
        self.scorer.draining = True
        self._heart.unwell = fault
        self._changed.set()


def _scorer(settings: Settings, record: Record, engine: Engine, name: str) -> ShardScorer:
    on = partial(open_reader, settings, record, beside_cpu=engine.device == CPU)
    readers: dict[Priority, Reader] = {
        "live": on(name="live", from_packs=False),  # they are new, and in none
        "bulk": on(name="bulk", from_packs=True),
    }
    return ShardScorer(record, engine, readers, settings.scoring, worker=name)


def _rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


_processes: list[ScoringProcess] = []
_draining = threading.Event()


def _drain() -> None:
    _draining.set()
    for process in _processes:
        process.drain()


@worker_process_init.connect  # type: ignore[untyped-decorator]
def _start(**_: object) -> None:
    when_told_to_end(_drain)
    stages = Stages()
    settings = load_settings()
    configure_logging(settings.log_level)
    seat = seat_of_this_process()
    heart = Heart(Path(seat.pulse), doing=_starting())
    heart.start()
    try:
        if seat.device != CPU:
            settings.scoring = settings.scoring.on_gpu()
        engine, why_no_gpu = make_engine(settings, seat)  # in the child only
        stages.end("engine")
        found = seat.checked(engine.device, why_no_gpu)
        if found.device != seat.device:
            _log.warning("%s can't use %s, and the CPU is allowed: it scores there", engine.name, seat.told)
        process = _started(settings, engine, found, heart, stages)
    except Exception as error:  # noqa: BLE001  Celery would log it and go on with a process that can't score
        _log.critical("this worker can't score and ends", exc_info=True)
        seat.complain(error)
        os.kill(os.getppid(), signal.SIGTERM)
        return
    if process is None:
        return
    context.bind_scorer(process.scorer)
    _processes.append(process)
    if _draining.is_set():  # told while it was loading
        process.drain()


def _starting() -> Callable[[], tuple[str, float]]:
    began = time.monotonic()
    return lambda: ("start", time.monotonic() - began)


def _started(
    settings: Settings, engine: Engine, seat: Seat, heart: Heart, stages: Stages
) -> ScoringProcess | None:
    """A process that is ready; waits for a record that is away, until told to end."""
    while not _draining.is_set():
        heart.doing = _starting()  # anew: waiting for a record is no fault
        try:
            process = ScoringProcess(settings, engine, seat, heart, stages)
            process.start()
        except (PyMongoError, Unavailable) as error:
            _log.error("not ready, trying again: %s: %s", type(error).__name__, error)
            time.sleep(RETRY_START_S)
        else:
            return process
    return None


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def _end(**_: object) -> None:
    told_enough()
    while _processes:
        _processes.pop().stop()
