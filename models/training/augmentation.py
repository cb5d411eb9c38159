"""Changes to an image that don't change what it shows."""

import numpy as np
from numpy.typing import NDArray

SKY_GREY = 204

SOFTENED_SHARE = 0.3

BLOCK = 8
"""Images that are softened at a time: they stay in the processor's cache (six times faster than all)."""


def augment(images: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A changed copy of (n, 144, 144, 1) uint8 images: turned, and some softened or of another contrast.

    The eight symmetries of the square; softness and contrast as a resampled or screen-captured cutout has.
    """
    turned = _turn(images, rng.integers(0, 8, len(images)))
    soft = rng.random(len(images)) < SOFTENED_SHARE
    if soft.any():
        turned[soft] = _soften(turned[soft], rng)
    return turned


def _turn(images: NDArray[np.uint8], symmetry: NDArray[np.int64]) -> NDArray[np.uint8]:
    turned = np.empty_like(images)
    for n in range(8):
        chosen = symmetry == n
        part = images[chosen]
        if n & 1:
            part = part[:, ::-1]
        if n & 2:
            part = part[:, :, ::-1]
        if n & 4:
            part = part.transpose(0, 2, 1, 3)
        turned[chosen] = part
    return turned


def _soften(images: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Blur by a three-pixel kernel, scale the contrast around the sky's grey and move its level a little."""

    def each(low: float, high: float) -> NDArray[np.float32]:
        return rng.uniform(low, high, (len(images), 1, 1, 1)).astype(np.float32)

    weight = each(0, 0.3)
    scale = np.exp(each(-0.35, 0.1) + weight * each(0, 1.5))
    level = SKY_GREY + np.float32(0.5) + each(-3, 3)
    softened = np.empty_like(images)
    for start in range(0, len(images), BLOCK):
        part = slice(start, start + BLOCK)
        x = images[part].astype(np.float32) - np.float32(SKY_GREY)
        for axis in (1, 2):
            beside = np.roll(x, 1, axis)
            beside += np.roll(x, -1, axis)
            beside *= weight[part]
            x *= 1 - 2 * weight[part]
            x += beside
        x *= scale[part]
        x += level[part]
        softened[part] = np.clip(x, 0, 255, out=x)
    return softened
