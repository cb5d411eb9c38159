"""The noise of a difference image."""

import numpy as np

from cutouts.simulator.scene import SIZE_PX, Plane


def sky(rng: np.random.Generator) -> Plane:
    """(157, 157) float32 noise around 0 of about unit variance, neighbours correlated by 0 to 0.3.

    The scatter of the level and of the noise stands for imperfect estimates of both.
    """
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
