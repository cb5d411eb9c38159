"""A whole training: from a plan to a bundle."""

import os
import platform
import shlex
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import keras

from core.model_card import ModelCard
from models.bundle import write_bundle
from models.training.checkpoint import FILE
from models.training.fit import Plan, train
from models.training.preset_images import training_images

VALIDATION_SEED = 1_000_000
"""Added to the plan's seed for the validation images, so that no seed in use gives both."""

VALIDATION_COUNT = 2000


def run(
    plan: Plan,
    *,
    version: str,
    folder: Path,
    on_epoch: Callable[[dict[str, float]], None] = lambda _: None,
) -> ModelCard:
    """Simulate the data, train, and write the bundle to the folder; a run that was killed goes on from there.

    Cutouts of the standing benchmarks (`cutouts.benchmark`) are left out. The card has no figures but the
    validation loss; `python -m models evaluate --record` adds them.
    """
    data = training_images(plan.classifier, plan.preset, count=plan.count, seed=plan.seed)
    validation = training_images(
        plan.classifier, plan.preset, count=VALIDATION_COUNT, seed=plan.seed + VALIDATION_SEED
    )
    trained = train(plan, data, validation, folder=folder, on_epoch=on_epoch)
    card = write_bundle(
        folder,
        trained.network,
        version=version,
        architecture=plan.architecture,
        training={
            **asdict(plan),
            "images": len(data.images),
            "validation": {
                "preset": plan.preset,
                "seed": plan.seed + VALIDATION_SEED,
                "count": VALIDATION_COUNT,
            },
            "history": trained.history,
            "seconds": round(trained.seconds, 1),
            "hardware": hardware(),
            "command": command_of(plan, version, folder),
        },
    )
    (folder / FILE).unlink(missing_ok=True)
    return card


def hardware() -> str:
    """What this process trains on, in general words."""
    gpus = [device for device in keras.distribution.list_devices() if not device.startswith("cpu")]
    device = ", ".join(gpus) or f"{os.cpu_count()} CPU cores, {platform.machine()}, shared with other work"
    return f"{device}; Keras {keras.__version__} on {keras.backend.backend()}"


def command_of(plan: Plan, version: str, folder: Path) -> str:
    """The command line that repeats a training."""
    count = [] if plan.count is None else ["--count", str(plan.count)]
    return shlex.join(
        [
            *("python", "-m", "models", "train", plan.classifier, "--preset", plan.preset),
            *(
                "--seed",
                str(plan.seed),
                *count,
                "--architecture",
                plan.architecture,
                "--epochs",
                str(plan.epochs),
            ),
            *("--batch-size", str(plan.batch_size), "--learning-rate", f"{plan.learning_rate:g}"),
            *("--dropout", f"{plan.dropout:g}"),
            *("--precision", plan.precision, "--version", version, "--out", str(folder)),
        ]
    )
