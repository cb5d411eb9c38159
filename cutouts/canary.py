"""One cutout that every network can be asked about at any time: the same pixels everywhere and always."""

import numpy as np

from cutouts.recipes import SIZE_PX, Pixels
from cutouts.stretch import to_grey

MASK_GREY = 204


def canary() -> Pixels:
    """A streak of 30 px and 8 sigma on a smooth sky, (1, 144, 144, 1) uint8; from no file."""
    y, x = np.indices((SIZE_PX, SIZE_PX), dtype=np.float32) - np.float32(SIZE_PX / 2)
    along, across = 0.8 * x + 0.6 * y, 0.8 * y - 0.6 * x
    beyond = np.maximum(np.abs(along) - 15.0, 0.0)
    streak = 8.0 * np.exp(-(across**2 + beyond**2) / 2.0)
    sky = 0.6 * np.sin(1.7 * x) * np.sin(2.3 * y)
    return to_grey((streak + sky).astype(np.float32), MASK_GREY)[None, :, :, None]
