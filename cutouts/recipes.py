"""Recipes: named, versioned ways from an image to what a network sees.

One function per recipe serves scoring, training, the web and the benchmarks.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZE_PX = 144

Pixels = NDArray[np.uint8]


def deepstreaks_1(image: Image.Image) -> Pixels:
    """The predecessors' input, before its division by 255, which the device does.

    Returns (144, 144, 1) uint8, 0 black - 255 white, by luma and PIL's bilinear filter.
    """
    grey = image if image.mode == "L" else image.convert("L")
    if grey.size != (SIZE_PX, SIZE_PX):
        grey = grey.resize((SIZE_PX, SIZE_PX), Image.Resampling.BILINEAR)
    return np.asarray(grey, dtype=np.uint8)[:, :, np.newaxis]


RECIPES: dict[str, Callable[[Image.Image], Pixels]] = {"deepstreaks-1": deepstreaks_1}
