"""Learning from what the network is wrong about, without learning another truth."""

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
from numpy.typing import NDArray

from models.training.batches import BESIDE, Batches

EVEN_SHARE = 0.3
"""The part of the chances that all images share, so that none weighs more than 1 / 0.3."""


def learn_focused(
    network: keras.Model,
    batches: Batches,
    *,
    keep: int,
    class_weights: Mapping[int, float] | None,
    watching: keras.callbacks.Callback,
) -> float:
    """Train one epoch on `keep` images of each batch, drawn by how wrong the network is; returns the loss.

    Scoring costs a quarter of learning, and most images teach a trained network nothing. Each is drawn with
    a chance in proportion to its gradient at the output, and weighs the inverse of that chance, so that the
    expected gradient is the whole batch's (Katharopoulos and Fleuret 2018, arXiv:1803.00942).
    """
    losses = []
    for n, (images, labels) in enumerate(_ahead(batches)):
        scores = np.asarray(network.predict_on_batch(images), np.float64)[:, 0]
        balance = np.array([(class_weights or {}).get(int(label), 1.0) for label in labels])
        chosen, weights = draw(balance * np.abs(scores - labels), keep, batches.chance(n))
        loss = network.train_on_batch(
            images[chosen], labels[chosen], sample_weight=(weights * balance[chosen]).astype(np.float32)
        )
        network.reset_metrics()
        losses.append(float(loss))
        watching.on_train_batch_end(n, {"loss": losses[-1]})
    return float(np.mean(losses))


def draw(
    wrongness: NDArray[np.float64], keep: int, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Draw `keep` of n images, with repetition, and the weights that undo their chances.

    The draw is systematic: an image whose chance times `keep` is 2.4 comes two or three times. The mean of
    a quantity over the batch is, in expectation, the mean of weight times quantity over what was drawn.

    Parameters
    ----------
    wrongness : (n,), each at least 0.
    """
    n, total = len(wrongness), wrongness.sum()
    focus = wrongness / total if total > 0 else np.full(n, 1 / n)
    chances = EVEN_SHARE / n + (1 - EVEN_SHARE) * focus
    marks = (np.arange(keep) + rng.random()) / keep
    chosen = np.minimum(np.searchsorted(np.cumsum(chances), marks), n - 1)
    return chosen, 1 / (n * chances[chosen])


def _ahead(batches: Batches) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """The batches in their order, some of them made while others are learnt from."""
    with ThreadPoolExecutor(BESIDE, thread_name_prefix="batches") as threads:
        coming = deque(threads.submit(batches.__getitem__, n) for n in range(min(BESIDE, len(batches))))
        for n in range(len(batches)):
            ready = coming.popleft().result()
            if n + BESIDE < len(batches):
                coming.append(threads.submit(batches.__getitem__, n + BESIDE))
            yield ready
