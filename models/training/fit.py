"""The training loop."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from core.errors import ServiceError
from models.architectures import build
from models.evaluation import score_images
from models.training.batches import Batches
from models.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from models.training.initial_weights import settle
from models.training.preset_images import LabelledImages


class TrainingFailed(ServiceError):
    """The training can't go on; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that decides what comes out of a training, the hardware's rounding aside.

    Parameters
    ----------
    learning_rate : the highest, after a warm-up over `warmup_steps`; it falls along a cosine to a hundredth.
    dropout : the share of the architecture's dropout rates that is used; simulated data are plenty.
    precision : "float32", or "bfloat16" for bfloat16 products with float32 weights.
    """

    classifier: str
    preset: str
    seed: int
    count: int | None = None
    architecture: str = "vgg6"
    epochs: int = 8
    batch_size: int = 64
    learning_rate: float = 1e-3
    warmup_steps: int = 200
    dropout: float = 0.3
    precision: str = "float32"


@dataclass(frozen=True, slots=True)
class Trained:
    """A network in float32 with the weights of its best epoch, and how it went."""

    network: keras.Model
    seconds: float
    best_loss: float
    history: list[dict[str, float]]


def train(
    plan: Plan,
    data: LabelledImages,
    validation: LabelledImages,
    *,
    folder: Path,
    on_epoch: Callable[[dict[str, float]], None] = lambda _: None,
) -> Trained:
    """Train a network, with a checkpoint each epoch, going on from the folder's checkpoint if there is one.

    The weights of the epoch with the lowest validation loss are kept. Raises TrainingFailed when the loss
    stops being a number, Misconfigured when the folder's checkpoint belongs to another plan.
    """
    keras.utils.set_random_seed(plan.seed)
    network = _start(plan, data)
    told = asdict(plan)
    best, progress = load_checkpoint(folder, network, told) or (
        network.get_weights(),
        Progress(told, 0, 0.0, math.inf, []),
    )
    weights = _class_weights(data)
    for epoch in range(progress.epochs_done, plan.epochs):
        started = time.monotonic()
        batches = Batches(data.images, data.labels, batch_size=plan.batch_size, seed=plan.seed, epoch=epoch)
        fitted = network.fit(batches, epochs=1, shuffle=False, verbose=0, class_weight=weights).history
        figures = {"epoch": epoch + 1, "loss": float(fitted["loss"][-1]), **_validate(network, validation)}
        if not all(math.isfinite(value) for value in figures.values()):
            raise TrainingFailed(f"epoch {epoch + 1} ended with {figures}; expected finite losses")
        if figures["validation_loss"] < progress.best_loss:
            progress.best_loss, best = figures["validation_loss"], network.get_weights()
        progress.epochs_done = epoch + 1
        progress.seconds += time.monotonic() - started
        progress.history.append(figures)
        save_checkpoint(folder, network, best, progress)
        on_epoch({**figures, "seconds": progress.seconds})
    final = build(plan.architecture)
    final.set_weights(best)
    return Trained(final, progress.seconds, progress.best_loss, progress.history)


def _start(plan: Plan, data: LabelledImages) -> keras.Model:
    """Build and compile the plan's network."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32" if plan.precision == "float32" else f"mixed_{plan.precision}")
    try:
        network = build(plan.architecture)
    finally:
        keras.config.set_dtype_policy(before)
    for layer in network.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate *= plan.dropout
    settle(network, data.images[:64].astype(np.float32) / np.float32(255))
    steps = plan.epochs * math.ceil(len(data.images) / plan.batch_size)
    warmup = min(plan.warmup_steps, steps // 5)
    schedule = keras.optimizers.schedules.CosineDecay(
        plan.learning_rate / 10,
        max(1, steps - warmup),
        alpha=0.01,
        warmup_target=plan.learning_rate,
        warmup_steps=warmup,
    )
    network.compile(
        keras.optimizers.Adam(schedule, clipnorm=1.0), "binary_crossentropy", jit_compile=_compiled()
    )
    network.optimizer.build(network.trainable_variables)
    return network


def _compiled() -> bool:
    """XLA makes TensorFlow's convolutions on a CPU seven times slower (measured); JAX has no other way."""
    return bool(keras.backend.backend() == "jax")


def _class_weights(data: LabelledImages) -> dict[int, float]:
    """Weights that make both classes count the same."""
    ones = float(data.labels.mean())
    return {0: 0.5 / (1 - ones), 1: 0.5 / ones}


def _validate(network: keras.Model, validation: LabelledImages) -> dict[str, Any]:
    """Cross-entropy and accuracy, each the mean of the two classes'."""
    scores = score_images(network, validation.images).astype(np.float64)
    loss = -np.log(np.clip(np.where(validation.labels == 1, scores, 1 - scores), 1e-7, 1))
    right = (scores >= 0.5) == validation.labels
    ones = validation.labels == 1
    return {
        "validation_loss": float((loss[ones].mean() + loss[~ones].mean()) / 2),
        "validation_accuracy": float((right[ones].mean() + right[~ones].mean()) / 2),
    }
