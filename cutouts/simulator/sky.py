"""The noise of a difference image."""

import numpy as np

from cutouts.fits_recipe import SAME_SCALE, resampled
from cutouts.simulator.scene import SIZE_PX, Plane


def sky(rng: np.random.Generator, *, native_px: float = 1.0) -> Plane:
    """(157, 157) float32 noise around 0 of about unit variance, neighbours correlated by 0 to 0.3.

    The scatter of the level and of the noise stands for imperfect estimates of both. Where an instrument's
    own pixels are wider than the picture's, `native_px` times, their noise is drawn and then resampled.
    """
    if native_px > 1 + SAME_SCALE:
        side = int(np.ceil(SIZE_PX / native_px)) + 2
        coarse = resampled(
            rng.standard_normal((side, side), dtype=np.float32), (round(side * native_px),) * 2
        )
        noise: Plane = coarse[:SIZE_PX, :SIZE_PX] / coarse.std()
        return noise * np.float32(np.clip(rng.normal(1.0, 0.05), 0.85, 1.15)) + np.float32(
            rng.normal(0.0, 0.03)
        )
    correlation = rng.uniform(0.2, 0.3) if rng.random() < 0.15 else rng.uniform(0.0, 0.2)
    weight = np.float32(_neighbour_weight(correlation))
    noise = rng.standard_normal((SIZE_PX + 1, SIZE_PX + 1), dtype=np.float32)
    noise = noise[:, 1:] + weight * noise[:, :-1]
    noise = noise[1:] + weight * noise[:-1]
    scatter = np.clip(rng.normal(1.0, 0.05), 0.85, 1.15)
    noise *= np.float32(scatter / (1 + weight * weight))
    noise += np.float32(rng.normal(0.0, 0.03))
    if rng.random() < 0.2:
        slope = rng.normal(0.0, 0.15, 2).astype(np.float32)
        ramp = np.linspace(-1, 1, SIZE_PX, dtype=np.float32)
        noise += slope[0] * ramp[:, np.newaxis] + slope[1] * ramp
    return noise


def _neighbour_weight(correlation: float) -> float:
    """The weight a of a neighbour that gives white noise this lag-1 correlation, a / (1 + a^2)."""
    if correlation <= 0:
        return 0.0
    return float((1 - np.sqrt(1 - 4 * correlation**2)) / (2 * correlation))
