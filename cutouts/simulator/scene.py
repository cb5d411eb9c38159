"""The sheet that every drawing function draws on."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

SIZE_PX = 157
CENTRE_PX = (SIZE_PX - 1) / 2

Plane = NDArray[np.float32]
Segment = tuple[float, float, float, float]
"""The two ends of a line: x1, y1, x2, y2 in pixels."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A cutout in the making.

    Parameters
    ----------
    z : (157, 157) float32, y then x, flux in robust sigmas of the sky; NaN is masked, and stays so,
        since whatever is added to NaN is NaN: the order of drawing doesn't matter.
    rng : the cutout's only source of chance.
    fwhm_px : the seeing.
    exposure : the exposure in those of the survey, 30 s; streaks are as much longer.
    shortest_px : no pipeline fits a streak that is shorter, five times the typical seeing's width.
    streak : (157, 157) float32, the part of `z` that is the streak's light, also where it is masked.
    """

    z: Plane
    rng: np.random.Generator
    fwhm_px: float
    exposure: float = 1.0
    shortest_px: float = 10.0
    streak: Plane = field(default_factory=lambda: np.zeros((SIZE_PX, SIZE_PX), np.float32))

    @property
    def sigma_px(self) -> float:
        """The seeing as the standard deviation of a Gaussian."""
        return self.fwhm_px / 2.3548

    def log_uniform(self, low: float, high: float) -> float:
        """A number in [low, high], its logarithm uniform."""
        return float(np.exp(self.rng.uniform(np.log(low), np.log(high))))

    def chance(self, probability: float) -> bool:
        """Whether something of this probability happens."""
        return bool(self.rng.random() < probability)


def window(x: float, y: float, half_px: float) -> tuple[slice, slice]:
    """The part of the frame, y then x, within `half_px` of a point; empty where that is outside."""
    low = [max(0, int(np.floor(c - half_px))) for c in (y, x)]
    high = [max(0, min(SIZE_PX, int(np.ceil(c + half_px)) + 1)) for c in (y, x)]
    return slice(low[0], high[0]), slice(low[1], high[1])


def grid(part: tuple[slice, slice], x: float, y: float) -> tuple[Plane, Plane]:
    """Offsets from a point within a part of the frame: dx as (1, w) and dy as (h, 1), float32 pixels."""
    dy = np.arange(part[0].start, part[0].stop, dtype=np.float32)[:, np.newaxis] - np.float32(y)
    dx = np.arange(part[1].start, part[1].stop, dtype=np.float32)[np.newaxis, :] - np.float32(x)
    return dx, dy
