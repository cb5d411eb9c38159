"""Reflections in the optics: arcs, plumes and discs ("dementors and ghosts")."""

import numpy as np

from cutouts.simulator.scene import SIZE_PX, Plane, Scene, grid

FRAME = (slice(0, SIZE_PX), slice(0, SIZE_PX))


def draw_ghost(scene: Scene, x: float, y: float) -> None:
    """Add an arc, a plume or a disc near a point."""
    scene.rng.choice(np.array([_arc, _plume, _disc], dtype=object))(scene, x, y)


def _arc(scene: Scene, x: float, y: float) -> None:
    rng = scene.rng
    radius, width = scene.log_uniform(10, 160), scene.log_uniform(2.5, 12)
    angle = rng.uniform(0, 2 * np.pi)
    dx, dy = grid(FRAME, x + radius * np.cos(angle), y + radius * np.sin(angle))
    distance = np.sqrt(dx * dx + dy * dy) - np.float32(radius)
    ring = np.exp(distance * distance * np.float32(-0.5 / width**2))
    extent = rng.uniform(12, 60)
    fade = _blob(x, y, extent, extent, 0.0)
    _add(scene, ring * fade, scene.log_uniform(1.5, 12))


def _plume(scene: Scene, x: float, y: float) -> None:
    """One or several soft tails, with the hard edge that a mask's shadow gives some."""
    rng = scene.rng
    for _ in range(int(rng.integers(1, 4))):
        long_px, wide_px = scene.log_uniform(8, 45), scene.log_uniform(4, 16)
        shape = _blob(x + rng.normal(0, 5), y + rng.normal(0, 5), long_px, wide_px, rng.uniform(0, np.pi))
        if rng.random() < 0.35:
            cut = int(np.clip(y + rng.normal(0, wide_px), 1, SIZE_PX - 1))
            shape[:cut] = 0
        _add(scene, shape, scene.log_uniform(1.0, 10))


def _disc(scene: Scene, x: float, y: float) -> None:
    """A star far out of focus: an evenly lit disc, often with a hole."""
    rng = scene.rng
    radius = scene.log_uniform(5, 45)
    dx, dy = grid(FRAME, x, y)
    distance = np.sqrt(dx * dx + dy * dy * np.float32(rng.uniform(0.6, 1.6)))
    softness = np.float32(1 / rng.uniform(0.8, 4))
    shape = 1 / (1 + np.exp(np.clip((distance - np.float32(radius)) * softness, -30, 30)))
    if rng.random() < 0.6:
        hole = np.float32(radius * rng.uniform(0.3, 0.7))
        shape *= 1 - 1 / (1 + np.exp(np.clip((distance - hole) * softness, -30, 30)))
    _add(scene, shape, scene.log_uniform(1.0, 8))


def _blob(x: float, y: float, long_px: float, wide_px: float, angle: float) -> Plane:
    dx, dy = grid(FRAME, x, y)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    along, across = (dx * cos + dy * sin) / np.float32(long_px), (dy * cos - dx * sin) / np.float32(wide_px)
    blob: Plane = np.exp(np.float32(-0.5) * (along * along + across * across))
    return blob


def _add(scene: Scene, shape: Plane, peak_sigma: float) -> None:
    """Add light of this shape, with the noise that light brings; now and then too much was subtracted."""
    rng = scene.rng
    grain = rng.standard_normal(shape.shape, dtype=np.float32) * np.float32(rng.uniform(0.0, 0.25))
    sign = 1 if rng.random() < 0.85 else -1
    scene.z[:] += shape * np.float32(peak_sigma) * (np.float32(sign) + grain)
