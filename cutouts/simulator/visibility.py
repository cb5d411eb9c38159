"""Whether a streak shows among all that was drawn with it."""

import numpy as np

from cutouts.simulator.scene import SIZE_PX, Plane, Scene
from cutouts.simulator.trail import Trail, signal_to_noise

FAINTEST = 9.0
"""The signal-to-noise ratio below which no pipeline would have cut the streak out."""

_NEAR_PX = 7

_CLUTTERED = 1.6
"""The mean square of 7 x 7 pixels above which they hold more than sky, whose own is 1 +- 0.2."""


def can_be_seen(scene: Scene, trail: Trail) -> bool:
    """Whether masks, stars and ghosts leave enough of a streak for a person to call it one.

    Half of its ridge in the frame has to be neither masked nor outshone by what else is there, and a matched
    filter has to find it above nine tenths of the faintest, in the noise that is there, sky and clutter.
    On empty sky any streak is seen that is bright enough to have been drawn.
    """
    noise = _mean_square(np.nan_to_num(scene.z - scene.streak))
    noise[noise < _CLUTTERED] = 1
    power = np.where(np.isnan(scene.z), 0, scene.streak * scene.streak)
    row, column = _ridge(trail)
    if 2 * int((power[row, column] > noise[row, column] - 1).sum()) < len(row):
        return False
    left = float((power / noise).sum() / (scene.streak * scene.streak).sum())
    found = signal_to_noise(float(len(row)), trail.peak_sigma, trail.sigma_px)
    return bool(found * np.sqrt(left) >= FAINTEST * 0.9)


def _ridge(trail: Trail) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of each pixel of a trail's middle line that is in the frame."""
    cos, sin = trail.direction
    along = np.arange(0.5, trail.length_px) - trail.length_px / 2
    column = np.round(trail.x + along * cos).astype(int)
    row = np.round(trail.y + along * sin).astype(int)
    inside = (row >= 0) & (row < SIZE_PX) & (column >= 0) & (column < SIZE_PX)
    return row[inside], column[inside]


def _mean_square(plane: Plane) -> Plane:
    """The mean square of the pixels around each, (157, 157) float32; the frame is continued by its mirror."""
    half = _NEAR_PX // 2
    total = np.pad(plane * plane, half, mode="reflect").astype(np.float64)
    for axis in (0, 1):
        sums = np.cumsum(total, axis)
        sums = np.insert(sums, 0, 0, axis)
        ahead, behind = np.arange(_NEAR_PX, sums.shape[axis]), np.arange(sums.shape[axis] - _NEAR_PX)
        total = np.take(sums, ahead, axis) - np.take(sums, behind, axis)
    mean: Plane = (total / _NEAR_PX**2).astype(np.float32)
    return mean
