"""The training loop."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from core.training import RecipeName
from models.architectures import build
from models.evaluation import score_images
from models.training.batches import Batches
from models.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from models.training.failures import OutOfMemory, TrainingFailed
from models.training.focus import learn_focused
from models.training.initial_weights import settle
from models.training.labelled_images import LabelledImages
from models.training.optimizer import AveragingAdam
from models.training.recipes import RECIPES, TrainingRecipe

WARMUP_STEPS = 200
LOSS_CHECKED_EVERY = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that decides what comes out of a training, the hardware's rounding aside.

    Parameters
    ----------
    learning_rate : the highest; None for the recipe's.
    precision : "float32", or "bfloat16" for bfloat16 products with float32 weights.
    start_from : the version whose weights are the first; None for untrained ones.
    """

    classifier: str
    dataset: str
    seed: int
    count: int | None = None
    architecture: str = "vgg6"
    recipe: RecipeName = "default"
    epochs: int
    batch_size: int
    learning_rate: float | None = None
    precision: str = "float32"
    start_from: str | None = None


@dataclass(frozen=True, slots=True)
class Trained:
    """A network in float32 with the weights of its best epoch, and how it went."""

    network: keras.Model
    seconds: float
    best_loss: float
    history: list[dict[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What is told of a training on its way; each may raise to end it.

    Parameters
    ----------
    on_batch : called after each batch, of validation too.
    on_epoch : called with the figures of an epoch once its checkpoint is in the folder.
    """

    on_batch: Callable[[], None] = lambda: None
    on_epoch: Callable[[dict[str, float]], None] = lambda _: None


def train(
    plan: Plan,
    data: LabelledImages,
    validation: LabelledImages,
    *,
    folder: Path,
    first_weights: Sequence[Any] | None = None,
    watch: Watch | None = None,
) -> Trained:
    """Train a network, with a checkpoint each epoch, going on from the folder's checkpoint if there is one.

    The weights of the epoch with the lowest validation loss are kept. `first_weights` are those of the
    architecture, in its order, that an untrained network starts from. Raises TrainingFailed when the loss
    stops being a number, OutOfMemory when a batch does not fit, Misconfigured when the folder's checkpoint
    belongs to another plan.
    """
    recipe, watch = RECIPES[plan.recipe], watch or Watch()
    keras.utils.set_random_seed(plan.seed)
    with _memory_explained(plan):
        network = _start(plan, recipe, data, first_weights)
        told = asdict(plan)
        best, progress = load_checkpoint(folder, network, told) or (
            network.get_weights(),
            Progress(told, 0, 0.0, math.inf, []),
        )
        while progress.epochs_done < plan.epochs and not _spent(progress, recipe):
            started = time.monotonic()
            figures = _epoch(plan, recipe, network, data, progress.epochs_done, watch)
            scored, candidate = _validated(recipe, network, validation, watch)
            figures |= scored
            if not all(math.isfinite(value) for value in figures.values()):
                raise TrainingFailed(f"epoch {figures['epoch']} ended with {figures}; expected finite losses")
            if figures["validation_loss"] < progress.best_loss:
                progress.best_loss, best = figures["validation_loss"], candidate
            progress.epochs_done += 1
            progress.seconds += time.monotonic() - started
            progress.history.append(figures)
            save_checkpoint(folder, network, best, progress)
            watch.on_epoch({**figures, "seconds": progress.seconds})
    final = build(plan.architecture)
    final.set_weights(best)
    return Trained(final, progress.seconds, progress.best_loss, progress.history)


def _start(
    plan: Plan, recipe: TrainingRecipe, data: LabelledImages, first_weights: Sequence[Any] | None
) -> keras.Model:
    """Build and compile the plan's network."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32" if plan.precision == "float32" else f"mixed_{plan.precision}")
    try:
        network = build(plan.architecture)
    finally:
        keras.config.set_dtype_policy(before)
    for layer in network.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate *= recipe.dropout
        if isinstance(layer, keras.layers.BatchNormalization) and recipe.norm_momentum is not None:
            layer.momentum = max(layer.momentum, recipe.norm_momentum)
    if first_weights is None:
        settle(network, data.images[:64].astype(np.float32) / np.float32(255))
    else:
        network.set_weights(first_weights)
    looked_at = plan.batch_size * recipe.looked_at
    optimizer = _optimizer(plan, recipe, steps=plan.epochs * math.ceil(len(data.images) / looked_at))
    network.compile(optimizer, "binary_crossentropy", jit_compile=_compiled())
    network.optimizer.build(network.trainable_variables)
    return network


def _optimizer(plan: Plan, recipe: TrainingRecipe, *, steps: int) -> keras.optimizers.Optimizer:
    rate: Any = recipe.learning_rate if plan.learning_rate is None else plan.learning_rate
    if recipe.cosine:
        warmup = min(WARMUP_STEPS, steps // 5)
        rate = keras.optimizers.schedules.CosineDecay(
            rate / 10, max(1, steps - warmup), alpha=0.01, warmup_target=rate, warmup_steps=warmup
        )
    if recipe.averaged:
        return AveragingAdam(rate, steps=steps, clipnorm=1.0)
    return keras.optimizers.Adam(rate)


def _compiled() -> bool:
    """XLA makes TensorFlow's convolutions on a CPU seven times slower (measured); JAX has no other way."""
    return bool(keras.backend.backend() == "jax")


def _spent(progress: Progress, recipe: TrainingRecipe) -> bool:
    """Whether the validation loss has not fallen for longer than the recipe waits."""
    if recipe.patience is None or not progress.history:
        return False
    losses = [figures["validation_loss"] for figures in progress.history]
    return len(losses) - 1 - losses.index(min(losses)) >= recipe.patience


def _epoch(
    plan: Plan, recipe: TrainingRecipe, network: keras.Model, data: LabelledImages, epoch: int, watch: Watch
) -> dict[str, float]:
    """Train one epoch; returns its loss and speed."""
    batches = Batches(
        data.images,
        data.labels,
        batch_size=plan.batch_size * recipe.looked_at,
        augmented=recipe.augmented,
        seed=plan.seed,
        epoch=epoch,
    )
    weights = _class_weights(data) if recipe.balanced else None
    watching = _Watching(watch.on_batch, epoch + 1)
    started = time.monotonic()
    if recipe.looked_at > 1:
        loss = learn_focused(network, batches, keep=plan.batch_size, class_weights=weights, watching=watching)
    else:
        loss = network.fit(
            batches, epochs=1, shuffle=False, verbose=0, class_weight=weights, callbacks=[watching]
        ).history["loss"][-1]
    rate = len(data.images) / (time.monotonic() - started)
    return {"epoch": epoch + 1, "loss": float(loss), "images_per_s": round(rate, 1)}


class _Watching(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends an epoch within a batch when it is told to, and soon when the loss stopped being a number."""

    def __init__(self, on_batch: Callable[[], None], epoch: int) -> None:
        super().__init__()
        self._on_batch, self._epoch = on_batch, epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._on_batch()
        if batch % LOSS_CHECKED_EVERY == 0 and not math.isfinite(loss := float((logs or {}).get("loss", 0))):
            raise TrainingFailed(
                f"epoch {self._epoch}, batch {batch + 1}: the loss is {loss}; expected a finite one. "
                "A lower learning rate may help"
            )


def _validated(
    recipe: TrainingRecipe, network: keras.Model, validation: LabelledImages, watch: Watch
) -> tuple[dict[str, Any], list[Any]]:
    """Figures of the weights that this epoch would leave behind, and those weights."""
    trained = network.get_weights()
    if recipe.averaged:
        network.optimizer.set_averages(network.trainable_variables)
    figures, candidate = _figures(network, validation, watch), network.get_weights()
    network.set_weights(trained)
    return figures, candidate


def _figures(network: keras.Model, validation: LabelledImages, watch: Watch) -> dict[str, Any]:
    """Cross-entropy and accuracy, each the mean of the two classes'."""
    scores = score_images(network, validation.images, on_batch=watch.on_batch).astype(np.float64)
    loss = -np.log(np.clip(np.where(validation.labels == 1, scores, 1 - scores), 1e-7, 1))
    right = (scores >= 0.5) == validation.labels
    ones = validation.labels == 1
    return {
        "validation_loss": float((loss[ones].mean() + loss[~ones].mean()) / 2),
        "validation_accuracy": float((right[ones].mean() + right[~ones].mean()) / 2),
    }


def _class_weights(data: LabelledImages) -> dict[int, float]:
    """Weights that make both classes count the same."""
    ones = float(data.labels.mean())
    return {0: 0.5 / (1 - ones), 1: 0.5 / ones}


@contextmanager
def _memory_explained(plan: Plan) -> Iterator[None]:
    """Tell what to change when a batch does not fit: the same again would fail again."""
    try:
        yield
    except Exception as error:
        exhausted = type(error).__name__ == "ResourceExhaustedError" or "RESOURCE_EXHAUSTED" in str(error)
        if not exhausted and not isinstance(error, MemoryError):
            raise
        raise OutOfMemory(
            f"{plan.architecture} with batches of {plan.batch_size} does not fit the device's memory; "
            f"submit it again with a batch size of {max(1, plan.batch_size // 2)} or less"
        ) from error
