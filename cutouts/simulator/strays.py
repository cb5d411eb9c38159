"""Short-lived and sharp: satellite flashes and cosmic rays."""

import numpy as np

from cutouts.simulator.residuals import draw_point
from cutouts.simulator.scene import SIZE_PX, Scene


def draw_flash(scene: Scene, x: float, y: float) -> None:
    """Add the glints of a tumbling satellite: one round source, or a few unequal ones in line with gaps."""
    rng = scene.rng
    count = int(rng.choice([1, 1, 2, 3, 4]))
    angle, gap = rng.uniform(0, 2 * np.pi), rng.uniform(7, 18) * scene.sigma_px
    for n in range(count):
        step = (n - (count - 1) / 2) * gap
        draw_point(
            scene,
            x + step * np.cos(angle),
            y + step * np.sin(angle),
            peak_sigma=scene.log_uniform(6, 120),
            sigma_px=scene.sigma_px * rng.uniform(0.9, 1.3),
        )


def draw_cosmic_ray(scene: Scene, x: float, y: float) -> None:
    """Add a particle's track: one pixel wide, not blurred by the seeing, straight or wandering."""
    rng = scene.rng
    steps = int(scene.log_uniform(2, 26))
    angle, turn = rng.uniform(0, 2 * np.pi), rng.choice([0.02, 0.1, 0.5])
    height = scene.log_uniform(5, 60)
    for _ in range(steps):
        row, column = round(y), round(x)
        if 0 <= row < SIZE_PX and 0 <= column < SIZE_PX:
            scene.z[row, column] += np.float32(height * rng.uniform(0.4, 1.6))
        angle += rng.normal(0, turn)
        x, y = x + np.cos(angle), y + np.sin(angle)
