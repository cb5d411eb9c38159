"""A whole training: from a plan to a bundle."""

import os
import platform
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras

from core.errors import InvalidRequest
from core.model_card import ModelCard
from models.bundle import find_bundle, load_network, read_card, read_weights, write_bundle
from models.training.checkpoint import FILE
from models.training.fit import Plan, Watch, train
from models.training.labelled_images import LabelledImages
from models.training.preset_images import VALIDATION_SEED, training_images

VALIDATION_COUNT = 2000


def run(
    plan: Plan, *, version: str, folder: Path, dtype: str = "float16", watch: Watch | None = None
) -> ModelCard:
    """Simulate the data, train, and write the bundle to the folder; a run that was killed goes on from there.

    Cutouts of the standing benchmarks (`cutouts.benchmark`) are left out. The card has no figures but the
    validation loss; `python -m models evaluate --record` adds them.
    """
    first = _first_weights(plan)
    data = training_images(plan.classifier, plan.dataset, count=plan.count, seed=plan.seed)
    validation = training_images(
        plan.classifier, plan.dataset, count=VALIDATION_COUNT, seed=plan.seed + VALIDATION_SEED
    )
    return train_bundle(
        plan,
        data,
        validation,
        first_weights=first,
        version=version,
        folder=folder,
        told={
            "validation": {
                "dataset": plan.dataset,
                "seed": plan.seed + VALIDATION_SEED,
                "count": VALIDATION_COUNT,
            },
            "command": command_of(plan, version, folder, dtype),
        },
        dtype=dtype,
        watch=watch,
    )


def train_bundle(
    plan: Plan,
    data: LabelledImages,
    validation: LabelledImages,
    *,
    first_weights: Sequence[Any] | None,
    version: str,
    folder: Path,
    told: Mapping[str, Any],
    dtype: str = "float16",
    watch: Watch | None = None,
) -> ModelCard:
    """Train on these images and write the bundle, its weights as `dtype`; raises as `train` does.

    `told` goes to the card beside the plan: where the images come from, and the command.
    """
    trained = train(plan, data, validation, folder=folder, first_weights=first_weights, watch=watch)
    card = write_bundle(
        folder,
        trained.network,
        version=version,
        architecture=plan.architecture,
        dtype=dtype,
        training={
            **asdict(plan),
            "images": len(data.images),
            "history": trained.history,
            "seconds": round(trained.seconds, 1),
            "hardware": hardware(),
            **told,
        },
    )
    (folder / FILE).unlink(missing_ok=True)
    return card


def _first_weights(plan: Plan) -> list[Any] | None:
    if plan.start_from is None:
        return None
    folder = find_bundle(plan.start_from)
    card = read_card(folder)
    if card.architecture != plan.architecture:
        raise InvalidRequest(f"{plan.start_from} is a {card.architecture}; expected a {plan.architecture}")
    return list(load_network(card, read_weights(folder)).get_weights())


def hardware() -> str:
    """What this process trains on, in general words."""
    device = ", ".join(_gpus()) or f"{os.cpu_count()} CPU cores, {platform.machine()}, shared with other work"
    return f"{device}; Keras {keras.__version__} on {keras.backend.backend()}"


def _gpus() -> list[str]:
    """The names of the GPUs that Keras's backend sees; without a name where it tells none."""
    found = [device for device in keras.distribution.list_devices() if not device.startswith("cpu")]
    if found and keras.backend.backend() == "jax":
        import jax  # where Keras runs on it, it is there

        return [str(device.device_kind) for device in jax.devices()]
    return found


def command_of(plan: Plan, version: str, folder: Path, dtype: str = "float16") -> str:
    """The command line that repeats a training."""
    options = {
        "dataset": plan.dataset,
        "seed": plan.seed,
        "count": plan.count,
        "architecture": plan.architecture,
        "recipe": plan.recipe,
        "epochs": plan.epochs,
        "batch-size": plan.batch_size,
        "learning-rate": plan.learning_rate,
        "precision": plan.precision,
        "from": plan.start_from,
        "version": version,
        "weights": None if dtype == "float16" else dtype,
        "out": folder,
    }
    given = [
        word for name, value in options.items() if value is not None for word in (f"--{name}", str(value))
    ]
    return shlex.join(["python", "-m", "models", "train", plan.classifier, *given])
