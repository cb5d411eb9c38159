"""What a training job asks for, from its data to a measured bundle."""

import shlex
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from core.errors import InvalidRequest
from core.model_card import ModelCard
from core.settings import Training
from core.training import TrainingRequest
from cutouts.benchmark import STANDING
from models.bundle import load_network
from models.evaluation import evaluate_bundle, evaluate_images
from models.training.dataset_images import frozen_images
from models.training.fit import Plan, Watch
from models.training.run import hardware, train_bundle
from models.training.sources import test_source, training_source, validation_source
from storage.record import Record

__all__ = ["hardware", "measure", "train_candidate"]


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

    `on_batch` is called between batches, and every few seconds while data are prepared. The card's version
    is a placeholder: it gets its number when it is registered. Raises as `train` does.
    """
    plan = Plan(**asdict(request), precision=precision)
    first = None if plan.start_from is None else _weights_of(record, plan.start_from)
    tell("preparing data")
    data = training_source(request, record, on_part=on_batch)
    validation = validation_source(request, record, settings, on_part=on_batch)
    tell("training")
    return train_bundle(
        plan,
        data.images,
        validation.images,
        first_weights=first,
        version=f"{plan.classifier}@1",
        folder=folder,
        told={"data": data.told, "validation": validation.told, "command": command_of(request)},
        watch=Watch(on_batch=on_batch, on_epoch=on_epoch),
    )


def measure(
    request: TrainingRequest,
    record: Record,
    settings: Training,
    *,
    folder: Path,
    on_part: Callable[[], None],
) -> tuple[dict[str, Any], dict[str, Path]]:
    """All figures of the folder's bundle on its test images and on the benchmarks, and their plots.

    The benchmarks are the standing one and the data set that was declared one, where the classifier has them.
    The plots are SVG files by name, such as `benchmark-roc.svg`. `on_part` is called every few seconds.
    """
    source = test_source(request, record, settings, on_part=on_part)
    measured = partial(evaluate_images, folder, seed=request.seed, on_part=on_part)
    metrics = {"test": measured(source.images, dataset=request.dataset, plots=folder / "test") | source.told}
    standing = STANDING.get(request.classifier)
    if standing is not None:
        count = settings.benchmark_cutouts or standing.count
        metrics["benchmark"] = evaluate_bundle(
            str(folder),
            standing.preset,
            seed=standing.seed,
            count=count,
            plots=folder / "benchmark",
            on_part=on_part,
        )
    for card in record.datasets.all():
        if card.benchmark and card.classifier == request.classifier:
            items = record.datasets.items(card.name, "test")
            images = frozen_images(record.blobs, items, on_part=on_part)
            metrics[card.name] = measured(images, dataset=card.name, plots=folder / card.name)
    plots = {
        f"{name}-{path.name}": path
        for name, found in metrics.items()
        for path in map(Path, found.pop("plots"))
    }
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
