"""The batches of one epoch."""

import math
import os

import keras
import numpy as np
from numpy.typing import NDArray

from models.training.augmentation import augment

BESIDE = max(1, min(6, len(os.sched_getaffinity(0)) // 2))
"""Batches that are made at a time while others are learnt from."""


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Shuffled batches of one epoch, augmented if wanted, the same for the same seed and epoch.

    The last one is filled up with the first's images: XLA compiles anew for another size of batch, which for
    a ResNet50 on a GPU takes longer than two hundred thousand images.

    Images go in as (n, 144, 144, 1) uint8 and come out as (batch, 144, 144, 1) float32 in 0..1.
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        labels: NDArray[np.uint8],
        *,
        batch_size: int,
        augmented: bool,
        seed: int,
        epoch: int,
    ) -> None:
        super().__init__(workers=BESIDE, max_queue_size=2 * BESIDE)
        self._images, self._labels, self._size = images, labels, min(batch_size, len(images))
        self._augmented, self._seed, self._epoch = augmented, seed, epoch
        self._order = self._chance(0).permutation(len(images))

    def __len__(self) -> int:
        return math.ceil(len(self._images) / self._size)

    def __getitem__(self, n: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        chosen = self._order.take(np.arange(n * self._size, (n + 1) * self._size), mode="wrap")
        images = self._images[chosen]
        if self._augmented:
            images = augment(images, self._chance(n + 1))
        return images.astype(np.float32) / np.float32(255), self._labels[chosen].astype(np.float32)

    def chance(self, n: int) -> np.random.Generator:
        """The source of chance for whatever else is decided about batch n."""
        return self._chance(n + 1, 1)

    def _chance(self, *part: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence([self._seed, self._epoch, *part]))
