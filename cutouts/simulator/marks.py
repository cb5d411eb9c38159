"""The red pixels that the survey's late-2018 files carry at the ends of the fitted streak."""

import numpy as np
from numpy.typing import NDArray

from cutouts.simulator.scene import CENTRE_PX, Scene, Segment

RED = (254, 0, 0)
"""76 after conversion to grey."""


def fitted_ends(scene: Scene, truth: Segment | None) -> Segment:
    """Where the pipeline would see the ends: near the true ones, or a spurious segment where there is none.

    Ends outside the frame are brought to within 70 px of the middle, along the streak.
    """
    rng = scene.rng
    if truth is None:
        angle, half = rng.uniform(0, np.pi), scene.log_uniform(5, 80) / 2
        x, y = CENTRE_PX + rng.normal(0, 3, 2)
        dx, dy = half * np.cos(angle), half * np.sin(angle)
        return float(x - dx), float(y - dy), float(x + dx), float(y + dy)
    ends = np.array(truth).reshape(2, 2)
    middle = np.array([CENTRE_PX, CENTRE_PX])
    step = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
    along = np.clip((ends - middle) @ step, -rng.uniform(30, 70), rng.uniform(30, 70))
    foot = ends[0] - ((ends[0] - middle) @ step) * step
    fitted = foot + along[:, np.newaxis] * step + rng.normal(0, 0.8, (2, 2))
    return float(fitted[0, 0]), float(fitted[0, 1]), float(fitted[1, 0]), float(fitted[1, 1])


def mark_ends(image: NDArray[np.uint8], ends: Segment) -> None:
    """Paint one red pixel at each end, in place; an end outside the image is left out."""
    for x, y in (ends[:2], ends[2:]):
        row, column = round(y), round(x)
        if 0 <= row < image.shape[0] and 0 <= column < image.shape[1]:
            image[row, column] = RED
