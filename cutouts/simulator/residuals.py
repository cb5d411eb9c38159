"""What subtraction leaves of the stars."""

import numpy as np

from cutouts.simulator.scene import SIZE_PX, Scene, grid, window


def draw_residual(
    scene: Scene, x: float, y: float, *, strength: float, shift_deg: float, shift_px: float
) -> None:
    """Add a badly subtracted star: a positive and a negative image, shifted, with speckle in its core.

    `strength` is the star's peak in sigmas of the sky before subtraction.
    """
    rng = scene.rng
    sigma = scene.sigma_px * rng.uniform(0.85, 1.7)
    half = 4 * sigma + shift_px
    part = window(x, y, half)
    dx, dy = grid(part, x, y)
    if not dx.size or not dy.size:
        return
    offset = shift_px / 2
    ox, oy = np.float32(offset * np.cos(shift_deg)), np.float32(offset * np.sin(shift_deg))
    narrow = np.float32(-0.5 / sigma**2)
    wide = np.float32(-0.5 / (sigma * rng.uniform(0.85, 1.2)) ** 2)
    plus = np.exp(((dx - ox) ** 2 + (dy - oy) ** 2) * narrow)
    minus = np.exp(((dx + ox) ** 2 + (dy + oy) ** 2) * wide)
    balance = np.float32(np.clip(rng.normal(1.0, 0.3), 0.4, 2.5))
    speckle = rng.standard_normal(plus.shape, dtype=np.float32) * np.sqrt(plus + minus)
    stamp = np.float32(strength) * (plus - balance * minus)
    scene.z[part] += stamp + np.float32(strength * rng.uniform(0.0, 0.4)) * speckle


def draw_point(scene: Scene, x: float, y: float, *, peak_sigma: float, sigma_px: float) -> None:
    """Add a round source, positive or negative."""
    part = window(x, y, 4 * sigma_px)
    dx, dy = grid(part, x, y)
    scale = np.float32(-0.5 / sigma_px**2)
    scene.z[part] += np.float32(peak_sigma) * np.exp(dx * dx * scale) * np.exp(dy * dy * scale)


def draw_field(scene: Scene, density: float) -> None:
    """Add a field of residuals: `density` is the expected number; their shift is common to the frame."""
    rng = scene.rng
    common_deg = rng.uniform(0, 2 * np.pi)
    common_px = rng.uniform(0.4, 4.0)
    for _ in range(min(int(rng.poisson(density)), 60)):
        x, y = rng.uniform(-3, SIZE_PX + 3, 2)
        if rng.random() < 0.3:
            peak = scene.log_uniform(2, 15) * (1 if rng.random() < 0.5 else -1)
            draw_point(scene, x, y, peak_sigma=peak, sigma_px=scene.sigma_px)
            continue
        draw_residual(
            scene,
            x,
            y,
            strength=scene.log_uniform(4, 250),
            shift_deg=common_deg + rng.normal(0, 0.4),
            shift_px=common_px * rng.uniform(0.6, 1.4),
        )
