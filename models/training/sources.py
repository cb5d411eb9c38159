"""The images that a training job learns from and is judged by."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.dataset import Split
from core.settings import Training
from core.training import TrainingRequest
from cutouts.simulator import PRESETS
from models.training.dataset_images import frozen_images
from models.training.labelled_images import LabelledImages
from models.training.preset_images import TEST_SEED, VALIDATION_SEED, preset_images, training_images
from storage.record import Record


@dataclass(frozen=True, slots=True)
class Source:
    """Images and how a card names them."""

    images: LabelledImages
    told: dict[str, Any]


def training_source(request: TrainingRequest, record: Record, *, on_part: Callable[[], None]) -> Source:
    """What is learnt: of a preset the cutouts that no standing benchmark has, of a data set its split.

    Of this source and the others `on_part` is called every few seconds, and may raise to end it.
    """
    if request.dataset in PRESETS:
        images = training_images(
            request.classifier, request.dataset, count=request.count, seed=request.seed, on_part=on_part
        )
        return Source(images, {"dataset": request.dataset, "seed": request.seed, "count": request.count})
    return _frozen(request, record, "train", on_part, most=request.count)


def validation_source(
    request: TrainingRequest, record: Record, settings: Training, *, on_part: Callable[[], None]
) -> Source:
    """What says when to stop."""
    if request.dataset in PRESETS:
        return _drawn(request, VALIDATION_SEED, settings.validation_cutouts, on_part, for_training=True)
    return _frozen(request, record, "validation", on_part)


def test_source(
    request: TrainingRequest, record: Record, settings: Training, *, on_part: Callable[[], None]
) -> Source:
    """What the result is measured on."""
    if request.dataset in PRESETS:
        return _drawn(request, TEST_SEED, settings.test_cutouts, on_part, for_training=False)
    return _frozen(request, record, "test", on_part)


def _drawn(
    request: TrainingRequest, shift: int, count: int, on_part: Callable[[], None], *, for_training: bool
) -> Source:
    draw = training_images if for_training else preset_images
    seed = request.seed + shift
    images = draw(request.classifier, request.dataset, count=count, seed=seed, on_part=on_part)
    return Source(images, {"dataset": request.dataset, "seed": seed, "count": count})


def _frozen(
    request: TrainingRequest,
    record: Record,
    split: Split,
    on_part: Callable[[], None],
    *,
    most: int | None = None,
) -> Source:
    """A split of a data set, or as many of it as were asked for, drawn by the seed."""
    card = record.datasets.get(request.dataset)
    items, held_back = record.datasets.training_items(request.dataset, split)
    if most is not None and most < len(items):
        items = random.Random(request.seed).sample(items, most)  # noqa: S311  no secret
    told = {
        "dataset": card.name,
        "fingerprint": card.fingerprint,
        "split": split,
        "held_back": len(held_back),
        "count": len(items),
    }
    return Source(frozen_images(record.blobs, items, on_part=on_part), told)
