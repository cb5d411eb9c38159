"""`python -m tests.worker.told_of_a_training JOB OTHER`: a process that is told of two, and has the one.

The training code reaches no further than its claim, which tells whether TensorFlow was there by then.
"""

import sys
from collections.abc import Callable

from core.settings import load_settings
from core.training import TrainingLease
from storage.record import open_record
from storage.trainings import TrainingRepository
from worker.trainer import JobTrainer
from worker.training_device import TrainingDevice


def main() -> None:
    """Be told of the other first."""
    job, other = sys.argv[1:]
    settings = load_settings()
    record = open_record(settings, patience_s=30.0)
    trainer = JobTrainer(
        record,
        settings,
        device=TrainingDevice("-1", shared=False, precision="float32"),
        worker="here:1",
        scratch=settings.state_dir / "training",
        stopping=lambda: False,
    )
    TrainingRepository.claim = _told(TrainingRepository.claim)  # type: ignore[method-assign]
    trainer.train(other)
    sys.stdout.write(f"{other}: {_is_loaded()}\n")
    trainer.train(job)


def _told(claim: Callable[..., TrainingLease | None]) -> Callable[..., TrainingLease | None]:
    def told(trainings: TrainingRepository, job: str, *, worker: str) -> TrainingLease | None:
        had = claim(trainings, job, worker=worker) is not None
        sys.stdout.write(f"{job}: {'claimed' if had else 'not claimed'}, tensorflow loaded: {_is_loaded()}\n")
        return None

    return told


def _is_loaded() -> bool:
    return "tensorflow" in sys.modules


if __name__ == "__main__":
    main()
