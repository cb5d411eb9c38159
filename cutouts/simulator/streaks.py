"""Streaks as the survey meets them: short, hard and long."""

from dataclasses import replace

import numpy as np

from cutouts.simulator.masks import mask_corridor, mask_rectangle
from cutouts.simulator.residuals import draw_residual
from cutouts.simulator.scene import CENTRE_PX, SIZE_PX, Scene
from cutouts.simulator.trail import Trail, draw_trail, signal_to_noise
from cutouts.simulator.visibility import FAINTEST

LONGEST_PX = 110.0
"""The longest that is wholly inside the frame."""


def draw_short(scene: Scene) -> Trail:
    """Draw a streak that is inside the frame, at most 110 px long."""
    rng = scene.rng
    trail = _short(
        scene, peak_sigma=scene.log_uniform(1.5, 25) if rng.random() < 0.8 else scene.log_uniform(25, 200)
    )
    draw_trail(scene, trail)
    if rng.random() < 0.08:
        _cover(scene, trail)
    if rng.random() < 0.15:
        _star_beside(scene, trail)
    return trail


def draw_short_hard(scene: Scene) -> Trail:
    """Draw a short streak that is faint, and covered or beside a star more often than not."""
    trail = _short(scene, peak_sigma=scene.log_uniform(1.5, 6))
    draw_trail(scene, trail)
    if scene.chance(0.35):
        _cover(scene, trail)
    if scene.chance(0.5):
        _star_beside(scene, trail)
    return trail


def draw_long(scene: Scene) -> Trail:
    """Draw a trail that leaves the frame at one end or at both, its brightest part masked in some."""
    rng = scene.rng
    angle = rng.uniform(0, 180)
    offset = np.clip(rng.normal(0, 7), -25, 25)
    radians = np.deg2rad(angle)
    x, y = CENTRE_PX - offset * np.sin(radians), CENTRE_PX + offset * np.cos(radians)
    length = rng.uniform(1.6, 2.6) * SIZE_PX * 1.42
    if rng.random() < 0.3:
        reach = rng.uniform(-15, 75)
        shift = (length / 2 - reach) * rng.choice([-1, 1])
        x, y = x + shift * np.cos(radians), y + shift * np.sin(radians)
    trail = Trail(
        x=x,
        y=y,
        length_px=length,
        angle_deg=angle,
        peak_sigma=scene.log_uniform(1.3, 12) if rng.random() < 0.7 else scene.log_uniform(8, 200),
        sigma_px=_blur(scene) * (rng.uniform(1, 2.5) if rng.random() < 0.35 else 1.0),
        unevenness=rng.uniform(0.1, 0.7) if rng.random() < 0.35 else 0.0,
    )
    draw_trail(scene, trail)
    if rng.random() < 0.06:
        beside = rng.uniform(5, 20)
        draw_trail(scene, replace(trail, x=x - beside * np.sin(radians), y=y + beside * np.cos(radians)))
    if rng.random() < 0.3:
        _cover_long(scene, trail)
    return trail


def _short(scene: Scene, *, peak_sigma: float) -> Trail:
    rng = scene.rng
    length = (
        float(np.clip(scene.exposure * rng.lognormal(np.log(20), 0.6), scene.shortest_px, LONGEST_PX))
        if rng.random() < 0.7
        else rng.uniform(
            scene.shortest_px, min(LONGEST_PX, max(scene.shortest_px, scene.exposure * LONGEST_PX))
        )
    )
    blur = _blur(scene)
    spread = 2.5 if rng.random() < 0.8 else 7.0
    room = max(0.0, SIZE_PX / 2 - length / 2 - 8)
    shift = np.clip(rng.normal(0, spread, 2), -room, room)
    return Trail(
        x=CENTRE_PX + shift[0],
        y=CENTRE_PX + shift[1],
        length_px=length,
        angle_deg=rng.uniform(0, 180),
        peak_sigma=peak_sigma * max(1.0, FAINTEST / signal_to_noise(length, peak_sigma, blur)),
        sigma_px=blur,
        unevenness=rng.uniform(0.1, 0.8) if rng.random() < 0.3 else 0.0,
        wiggle_px=rng.uniform(0.1, 0.6) if rng.random() < 0.3 else 0.0,
    )


def _blur(scene: Scene) -> float:
    """A trail's width, as a Gaussian's sigma in px: the seeing, or wider if out of focus or tumbling."""
    case = scene.rng.random()
    if case < 0.82:
        return scene.sigma_px * scene.rng.uniform(0.9, 1.15)
    return scene.sigma_px * (scene.rng.uniform(1.2, 2.0) if case < 0.96 else scene.rng.uniform(2.0, 3.2))


def _cover(scene: Scene, trail: Trail) -> None:
    """Mask a part of a short streak, up to about a third, from one end or across it."""
    rng = scene.rng
    cos, sin = trail.direction
    width = trail.length_px * rng.uniform(0.1, 0.35)
    at = rng.choice([-1, 1]) * trail.length_px * rng.uniform(0.2, 0.5)
    size = max(3, int(width * 1.2))
    mask_rectangle(scene, trail.x + at * cos, trail.y + at * sin, size, size + int(rng.integers(0, 30)))


def _star_beside(scene: Scene, trail: Trail) -> None:
    """Put a badly subtracted star on the streak or next to it."""
    rng = scene.rng
    cos, sin = trail.direction
    at, beside = rng.uniform(-0.7, 0.7) * trail.length_px, rng.normal(0, 4)
    draw_residual(
        scene,
        trail.x + at * cos - beside * sin,
        trail.y + at * sin + beside * cos,
        strength=scene.log_uniform(5, 60),
        shift_deg=rng.uniform(0, 2 * np.pi),
        shift_px=rng.uniform(0.3, 3),
    )


def _cover_long(scene: Scene, trail: Trail) -> None:
    """Mask parts of a long trail: blocks on it, or a corridor that leaves one side of it."""
    rng = scene.rng
    cos, sin = trail.direction
    if rng.random() < 0.35:
        half = rng.uniform(2, 7)
        edge = half + rng.uniform(0.0, 0.6) * trail.sigma_px
        slant = rng.choice([-1, 1]) * rng.uniform(1, 8)
        mask_corridor(scene, trail.x - edge * sin, trail.y + edge * cos, trail.angle_deg + slant, half)
        return
    middle = (CENTRE_PX - trail.x) * cos + (CENTRE_PX - trail.y) * sin
    for _ in range(int(rng.integers(1, 4))):
        at = middle + rng.uniform(-75, 75)
        size = int(rng.integers(8, 40))
        mask_rectangle(scene, trail.x + at * cos, trail.y + at * sin, size, size)
