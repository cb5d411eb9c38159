"""Scores of images by a network."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras  # takes seconds to import, and figures of scores need no network


def score_images(
    network: "keras.Model",
    images: NDArray[np.uint8],
    *,
    batch_size: int = 64,
    on_batch: Callable[[], None] = lambda: None,
) -> NDArray[np.float32]:
    """Scores, (n,) float32 in 0..1, of (n, 144, 144, 1) uint8 images.

    `on_batch` is called after each batch, and may raise to end it.
    """
    parts = []
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        short = batch_size - len(batch)
        padded = np.pad(batch, ((0, short), (0, 0), (0, 0), (0, 0))).astype(np.float32) / np.float32(255)
        parts.append(np.asarray(network.predict_on_batch(padded), np.float32)[: len(batch), 0])
        on_batch()
    return np.concatenate(parts)
