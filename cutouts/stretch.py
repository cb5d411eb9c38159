"""The survey's stretch: from sigmas of the sky to the grey levels that networks see."""

import numpy as np
from numpy.typing import NDArray

SKY_GREY = 204.0
SIGMA_GREY = 20.4


def to_grey(z: NDArray[np.float32], mask_grey: int) -> NDArray[np.uint8]:
    """Sigmas of the sky to grey: 255 (1 - (z + 2.5) / 12.5), so 0 is 204, one sigma 20.4; NaN a flat one."""
    with np.errstate(invalid="ignore"):
        grey: NDArray[np.uint8] = np.clip(np.float32(204.5) - np.float32(20.4) * z, 0, 255).astype(np.uint8)
    grey[np.isnan(z)] = mask_grey
    return grey
