"""The classes of bogus, in the proportions of one night's 2,287 volunteer labels."""

import numpy as np

from cutouts.simulator.ghosts import draw_ghost
from cutouts.simulator.masks import mask_star
from cutouts.simulator.residuals import draw_residual
from cutouts.simulator.scene import CENTRE_PX, Scene
from cutouts.simulator.strays import draw_cosmic_ray, draw_flash
from cutouts.simulator.truth import Kind

COUNTS: dict[Kind, int] = {
    "masked_star": 1211,
    "blank": 415,
    "yin_yang": 414,
    "ghost": 174,
    "flash": 23,
    "cosmic_ray": 17,
}


def draw_bogus(scene: Scene, kind: Kind) -> None:
    """Draw what made the pipeline cut this one out, near the middle of the frame."""
    rng = scene.rng
    x, y = CENTRE_PX + rng.normal(0, 3, 2)
    if kind == "masked_star":
        mask_star(scene, x + rng.normal(0, 12), y + rng.normal(0, 12))
    elif kind == "yin_yang":
        _yin_yang(scene, x, y)
    elif kind == "ghost":
        draw_ghost(scene, x, y)
    elif kind == "flash":
        draw_flash(scene, x, y)
    elif kind == "cosmic_ray":
        draw_cosmic_ray(scene, x, y)
    elif kind != "blank":
        raise ValueError(f"{kind!r} is not a class of bogus; expected one of {', '.join(COUNTS)}")


def _yin_yang(scene: Scene, x: float, y: float) -> None:
    """One to three dipoles of 3 to 8 px."""
    rng = scene.rng
    angle = rng.uniform(0, 2 * np.pi)
    for _ in range(int(rng.choice([1, 1, 2, 3]))):
        draw_residual(
            scene,
            x,
            y,
            strength=scene.log_uniform(5, 300),
            shift_deg=angle + rng.normal(0, 0.3),
            shift_px=rng.uniform(0.5, 5.0),
        )
        x, y = x + rng.normal(0, 8), y + rng.normal(0, 8)
