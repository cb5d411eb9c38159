"""What task bodies work with. A process binds it as it starts, so that tasks never import worker."""

from typing import Protocol

from core.errors import Misconfigured


class Scorer(Protocol):
    """Scores shards: what the scoring process binds."""

    def score_shard(self, job: str, n: int) -> None:
        """Work on one shard until it is closed, lost or given back."""


class Trainer(Protocol):
    """Trains networks: what the training process binds."""

    def train(self, job: str) -> None:
        """Work on one training job until it is done, lost or given back."""


class Sweeper(Protocol):
    """Re-sends what is owed: what the maintenance process binds."""

    def sweep(self) -> None:
        """One round."""


_bound: dict[type, object] = {}


def bind_scorer(scorer: Scorer) -> None:
    """Let `score_shard` use this scorer in this process."""
    _bound[Scorer] = scorer


def bind_trainer(trainer: Trainer) -> None:
    """Let `train` use this trainer in this process."""
    _bound[Trainer] = trainer


def bind_sweeper(sweeper: Sweeper) -> None:
    """Let `sweep` use this sweeper in this process."""
    _bound[Sweeper] = sweeper


def scorer() -> Scorer:
    """The scorer of this process; raises Misconfigured in a process that has none."""
    found = _bound.get(Scorer)
    if found is None:
        raise Misconfigured("this process holds no networks; start scoring workers with `python -m worker`")
    return found  # type: ignore[return-value]


def trainer() -> Trainer:
    """The trainer of this process; raises Misconfigured in a process that has none."""
    found = _bound.get(Trainer)
    if found is None:
        raise Misconfigured("this process does not train; start it with `python -m worker --train`")
    return found  # type: ignore[return-value]


def sweeper() -> Sweeper:
    """The sweeper of this process; raises Misconfigured in a process that has none."""
    found = _bound.get(Sweeper)
    if found is None:
        raise Misconfigured("this process does not sweep; start it with `python -m tasks.sweeper`")
    return found  # type: ignore[return-value]
