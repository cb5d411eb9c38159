"""What a person asked to be trained, and how far it has come."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

RecipeName = Literal["2018", "default", "focused"]

ARCHITECTURES = ("densenet121", "resnet50", "vgg6")
"""Those of `models.architectures`, named where no neural network library may be imported."""


@dataclass(frozen=True, slots=True)
class RecipeSizes:
    """What a recipe takes where the caller names nothing else; the rest is in `models.training.recipes`."""

    epochs: int
    batch_size: int


RECIPES: Mapping[RecipeName, RecipeSizes] = MappingProxyType(
    {
        "2018": RecipeSizes(epochs=20, batch_size=32),
        "default": RecipeSizes(epochs=20, batch_size=64),
        "focused": RecipeSizes(epochs=20, batch_size=64),
    }
)


@dataclass(frozen=True, kw_only=True)
class TrainingRequest:
    """All that decides what comes out of a training job.

    Parameters
    ----------
    dataset : the name of a simulator's preset.
    count : how many cutouts of it; None for the preset's own number.
    learning_rate : None for the recipe's.
    start_from : an exact version whose weights are the first; None for untrained ones.
    """

    classifier: str
    dataset: str
    architecture: str
    recipe: RecipeName
    epochs: int
    batch_size: int
    seed: int
    count: int | None = None
    learning_rate: float | None = None
    start_from: str | None = None


@dataclass(frozen=True)
class Checkpoint:
    """What a killed training goes on from: the blob with its state after an epoch."""

    sha256: str
    epoch: int


@dataclass(frozen=True)
class TrainingLease:
    """The right to work on one training until it expires, proved by its token.

    Parameters
    ----------
    tries : how often it was claimed since its last epoch, this time included; a claim that was given back
        on purpose does not count.
    version : the version that was set aside for the result, if it had come that far.
    last_error : what the process said that worked on it last, if it said something.
    """

    job: str
    token: str
    request: TrainingRequest
    tries: int
    checkpoint: Checkpoint | None = None
    version: str | None = None
    last_error: str | None = None


@dataclass(frozen=True)
class Training:
    """How far a training job is.

    Parameters
    ----------
    doing : a word for people: waiting, reading data, training, measuring…
    device : what it is trained on, in general words; None until somebody has begun.
    epochs : the figures of each epoch so far.
    attempts : how often somebody has begun to work on it.
    version : the candidate that it became.
    """

    job: str
    request: TrainingRequest
    doing: str = "waiting"
    device: str | None = None
    attempts: int = 0
    epochs: tuple[dict[str, Any], ...] = field(default_factory=tuple)
    version: str | None = None
