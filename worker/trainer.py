"""Works on one training job: claim, go on from its checkpoint, train, measure, register, close."""

import logging
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from pymongo.errors import PyMongoError

from core.errors import CallerError, Conflict, Misconfigured
from core.model_card import ModelCard
from core.settings import Settings
from core.training import Checkpoint, TrainingLease
from models.training.failures import TrainingFailed
from storage.record import Record
from worker.heartbeat import Heartbeat
from worker.progress import Progress
from worker.training_device import TrainingDevice

_log = logging.getLogger(__name__)
MOST_TRIES = 3
LOOK_EVERY_S = 0.5
PAUSE_S = 0.2


class LeaseLost(Exception):
    """The job was cancelled, or somebody else works on it."""


class Stopping(Exception):
    """This process is to end."""


class JobTrainer:
    """The trainer of this process.

    Parameters
    ----------
    scratch : a folder for checkpoints and bundles on their way.
    stopping : whether this process is to end soon.
    progress : where each step is noted.
    """

    def __init__(
        self,
        record: Record,
        settings: Settings,
        *,
        device: TrainingDevice,
        worker: str,
        scratch: Path,
        stopping: Callable[[], bool],
        progress: Progress | None = None,
    ) -> None:
        self._progress = progress or Progress()
        self._record, self._settings, self._device = record, settings, device
        self._worker, self._scratch, self._stopping = worker, scratch, stopping

    def train(self, job: str) -> None:
        """Work on a training if it can be claimed; a doubled, late or wrong message changes nothing.

        TensorFlow is loaded first: from a cold disk that can hold up what renews a lease for longer than one.
        """
        if not self._record.trainings.is_claimable(job):
            return
        with suppress(Exception):  # the try fails of the same, is told and counts
            import models.training.candidate  # noqa: F401
        lease = self._record.trainings.claim(job, worker=self._worker)
        if lease is None:
            return
        if self._record.jobs.start(job) is None:
            self._give_back(lease)
            return
        if lease.tries > MOST_TRIES:
            self._fail(lease, f"{MOST_TRIES} tries ended without an epoch; {_last_words(lease)}")
            return
        renew = partial(self._record.trainings.renew, lease)
        every_s = self._settings.scoring.heartbeat_s
        with self._progress.working(), Heartbeat(renew, every_s=every_s, name=job) as heartbeat:
            self._attempt(lease, heartbeat)

    def _attempt(self, lease: TrainingLease, heartbeat: Heartbeat) -> None:
        where = {"job": lease.job}
        try:
            self._work(lease, heartbeat)
        except LeaseLost:
            _log.warning("training lost or cancelled; its epochs so far stay", extra=where)
        except Stopping:
            self._record.trainings.release(lease, counts=False)
            _log.info("training given back", extra=where)
        except (CallerError, Misconfigured, TrainingFailed) as error:
            self._fail(lease, str(error))
        except Exception as error:  # noqa: BLE001  whatever it was, it is told, and the try counts
            _log.exception("training broke off", extra=where)
            self._record.trainings.note(lease, last_error=f"{type(error).__name__}: {error}"[:500])
            self._record.trainings.release(lease, counts=True)

    def _work(self, lease: TrainingLease, heartbeat: Heartbeat) -> None:
        from models.training.candidate import hardware, train_candidate

        watcher = _Watcher(
            self._record,
            lease,
            heartbeat,
            shared=self._device.shared,
            stopping=self._stopping,
            progress=self._progress,
        )
        self._record.trainings.note(lease, device=hardware())
        self._scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=self._scratch) as name:
            folder = Path(name)
            checkpoint = folder / "checkpoint.npz"
            if lease.checkpoint is not None:
                self._record.blobs.get_file(lease.checkpoint.sha256, checkpoint)
            card = train_candidate(
                lease.request,
                self._record,
                self._settings.training,
                precision=self._device.precision,
                folder=folder,
                on_batch=watcher.look,
                on_epoch=_EpochKeeper(self._record, lease, checkpoint),
                tell=watcher.tell,
            )
            watcher.tell("measuring")
            while not self._registered(lease, card, folder, watcher):
                pass
        if not self._record.trainings.close(lease):
            raise LeaseLost
        self._record.jobs.finish(lease.job)
        _log.info("training done", extra={"job": lease.job})

    def _registered(self, lease: TrainingLease, card: ModelCard, folder: Path, watcher: "_Watcher") -> bool:
        """Measure and register a candidate; False when somebody else has taken its number meanwhile.

        The number is set aside first: after a crash it is used again, for the same weights.
        """
        from models.bundle import read_weights, write_card
        from models.training.candidate import measure

        taken = None if lease.version is None else self._record.models.get(lease.version)
        version = lease.version
        if version is None or (taken is not None and taken.weights.sha256 != card.weights.sha256):
            version = self._record.models.next_version(card.classifier)
        if not self._record.trainings.set_aside(lease, version):
            raise LeaseLost
        named = card.model_copy(update={"version": version})
        write_card(folder, named)
        metrics, plots = measure(
            lease.request, self._record, self._settings.training, folder=folder, on_part=watcher.look
        )
        stored = {name: self._record.blobs.put(file.read_bytes()) for name, file in plots.items()}
        try:
            self._record.models.register(
                named.model_copy(update={"metrics": metrics, "plots": stored}), read_weights(folder)
            )
        except Conflict:
            return False
        return True

    def _fail(self, lease: TrainingLease, reason: str) -> None:
        if self._record.trainings.held(lease.job, lease.token) is None:
            _log.warning("not ours any more, though: %s", reason, extra={"job": lease.job})
            return
        _log.error("training failed: %s", reason, extra={"job": lease.job})
        self._record.jobs.fail(lease.job, reason)
        self._record.trainings.cancel(lease.job)

    def _give_back(self, lease: TrainingLease) -> None:
        """Return a training whose job was not accepted, or not yet; one of an ended job is cancelled."""
        job = self._record.jobs.get(lease.job)
        if job is None or not job.state.ended:  # accepted only now, perhaps
            self._record.trainings.release(lease, counts=False)
        else:
            self._record.trainings.cancel(lease.job)


class _Watcher:
    """Looks up between two batches: is it still wanted, has the process to end, does live scoring wait."""

    def __init__(
        self,
        record: Record,
        lease: TrainingLease,
        heartbeat: Heartbeat,
        *,
        shared: bool,
        stopping: Callable[[], bool],
        progress: Progress,
    ) -> None:
        self._record, self._lease, self._heartbeat = record, lease, heartbeat
        self._progress = progress
        self._shared, self._stopping = shared, stopping
        self._doing, self._next_look = "", 0.0

    def tell(self, doing: str) -> None:
        """Note what is done now."""
        self._progress.step()
        if doing != self._doing:
            self._doing = doing
            if not self._record.trainings.note(self._lease, doing=doing):
                raise LeaseLost

    def look(self) -> None:
        """Raises LeaseLost or Stopping; waits while live cutouts do, where the device is shared."""
        before = self._doing
        while self._wanted() and self._must_wait():
            self.tell("paused for live cutouts")
            time.sleep(PAUSE_S)
        self.tell(before)

    def _wanted(self) -> bool:
        self._progress.step()
        if self._heartbeat.lost:
            raise LeaseLost
        if self._stopping():
            raise Stopping
        return True

    def _must_wait(self) -> bool:
        """Whether live cutouts wait; looks at the record twice a second at most."""
        if time.monotonic() < self._next_look and self._doing != "paused for live cutouts":
            return False
        self._next_look = time.monotonic() + LOOK_EVERY_S
        try:
            if self._record.trainings.held(self._lease.job, self._lease.token) is None:
                raise LeaseLost
            return self._shared and self._record.shards.any_live()
        except PyMongoError as error:  # the heartbeat decides how long that may last
            _log.warning("not looked: %s", type(error).__name__)
            return False


class _EpochKeeper:
    """Keeps what an epoch left behind: its figures on record, its checkpoint in the blob store.

    The checkpoint that it replaces is the sweeper's to remove: on another host this process may not.
    """

    def __init__(self, record: Record, lease: TrainingLease, file: Path) -> None:
        self._record, self._lease, self._file = record, lease, file
        self._kept = lease.checkpoint

    def __call__(self, figures: dict[str, Any]) -> None:
        checkpoint = Checkpoint(self._record.blobs.put_file(self._file), int(figures["epoch"]))
        if not self._record.trainings.record_epoch(self._lease, figures, checkpoint, instead_of=self._kept):
            raise LeaseLost
        self._kept = checkpoint


def _last_words(lease: TrainingLease) -> str:
    return f"the last said: {lease.last_error}" if lease.last_error else "the process was killed each time"
