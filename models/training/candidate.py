"""What a training job asks for, from its data to a measured bundle."""

import shlex
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.errors import InvalidRequest
from core.model_card import ModelCard
from core.settings import Training
from core.training import TrainingRequest
from cutouts.benchmark import STANDING
from models.bundle import load_network
from models.evaluation import evaluate_bundle
from models.training.fit import Plan, Watch
from models.training.preset_images import training_images
from models.training.run import VALIDATION_SEED, hardware, train_bundle
from storage.record import Record

__all__ = ["hardware", "measure", "train_candidate"]

TEST_SEED = 2_000_000
"""Added to the training's seed for the test cutouts, as `VALIDATION_SEED` is for the validation cutouts."""


def train_candidate(
    request: TrainingRequest,
    record: Record,
    settings: Training,
    *,
    precision: str,
    folder: Path,
    on_batch: Callable[[], None],
    on_epoch: Callable[[dict[str, float]], None],
    tell: Callable[[str], None],
) -> ModelCard:
    """Train what a job asks for and write its bundle to the folder, going on from a checkpoint there.

    The card's version is a placeholder: it gets its number when it is registered. Raises as `train` does.
    """
    plan = Plan(**asdict(request), precision=precision)
    first = None if plan.start_from is None else _weights_of(record, plan.start_from)
    tell("preparing data")
    data = training_images(plan.classifier, plan.dataset, count=plan.count, seed=plan.seed)
    validation = training_images(
        plan.classifier,
        plan.dataset,
        count=settings.validation_cutouts,
        seed=plan.seed + VALIDATION_SEED,
    )
    on_batch()
    tell("training")
    return train_bundle(
        plan,
        data,
        validation,
        first_weights=first,
        version=f"{plan.classifier}@1",
        folder=folder,
        command=command_of(request),
        watch=Watch(on_batch=on_batch, on_epoch=on_epoch),
    )


def measure(
    request: TrainingRequest, settings: Training, *, folder: Path
) -> tuple[dict[str, Any], dict[str, Path]]:
    """All figures of the folder's bundle on its test cutouts and the standing benchmark, and their plots.

    The plots are SVG files by name, such as `benchmark-roc.svg`.
    """
    standing = STANDING[request.classifier]
    tests = {
        "test": (request.dataset, request.seed + TEST_SEED, settings.test_cutouts),
        "benchmark": (standing.preset, standing.seed, settings.benchmark_cutouts or standing.count),
    }
    metrics: dict[str, Any] = {}
    plots: dict[str, Path] = {}
    for name, (preset, seed, count) in tests.items():
        drawn = folder / name
        found = evaluate_bundle(str(folder), preset, seed=seed, count=count, plots=drawn)
        plots |= {f"{name}-{path.name}": path for path in map(Path, found.pop("plots"))}
        metrics[name] = found
    return metrics, plots


def command_of(request: TrainingRequest) -> str:
    """The command line that submits the same training again."""
    options = {
        "dataset": request.dataset,
        "seed": request.seed,
        "count": request.count,
        "architecture": request.architecture,
        "recipe": request.recipe,
        "epochs": request.epochs,
        "batch-size": request.batch_size,
        "learning-rate": request.learning_rate,
        "from": request.start_from,
    }
    words = [
        word for name, value in options.items() if value is not None for word in (f"--{name}", str(value))
    ]
    return shlex.join(["./streaks", "train", request.classifier, *words])


def _weights_of(record: Record, version: str) -> list[Any]:
    card = record.models.get(version)
    if card is None:
        raise InvalidRequest(f"there is no version {version!r} to start from")
    return list(load_network(card, record.models.weights(card)).get_weights())
