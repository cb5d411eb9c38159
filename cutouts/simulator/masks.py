"""What the survey's pipeline masks: NaN in the scene, a flat grey in the picture."""

import numpy as np

from cutouts.simulator.scene import CENTRE_PX, SIZE_PX, Scene, grid


def mask_rectangle(scene: Scene, x: float, y: float, width_px: int, height_px: int) -> None:
    """Mask an upright rectangle around a point."""
    left, top = round(x - width_px / 2), round(y - height_px / 2)
    scene.z[max(0, top) : max(0, top + height_px), max(0, left) : max(0, left + width_px)] = np.nan


def mask_edge(scene: Scene) -> None:
    """Mask a strip along one side of the frame."""
    depth = int(scene.rng.integers(2, 26))
    side = int(scene.rng.integers(4))
    if side < 2:
        scene.z[slice(0, depth) if side else slice(SIZE_PX - depth, SIZE_PX)] = np.nan
    else:
        scene.z[:, slice(0, depth) if side == 2 else slice(SIZE_PX - depth, SIZE_PX)] = np.nan


def mask_corridor(scene: Scene, x: float, y: float, angle_deg: float, half_width_px: float) -> None:
    """Mask a band through a point from side to side, as along a bright satellite's trail."""
    dx, dy = grid((slice(0, SIZE_PX), slice(0, SIZE_PX)), x, y)
    angle = np.deg2rad(angle_deg)
    across = dy * np.float32(np.cos(angle)) - dx * np.float32(np.sin(angle))
    scene.z[np.abs(across) <= half_width_px] = np.nan


def mask_star(scene: Scene, x: float, y: float) -> None:
    """Mask a bright star: blocks of 16 x 16, or a bar of 22 x 90, with bleed spikes beside it.

    The spikes are lines of one to three pixels that follow the rows and are not blurred by the seeing.
    """
    rng = scene.rng
    shape = rng.random()
    if shape < 0.45:
        size = 16 * int(rng.integers(1, 4))
        mask_rectangle(scene, x, y, size, size)
        for _ in range(int(rng.integers(0, 5))):
            step = 16 * rng.integers(-2, 3, 2)
            mask_rectangle(scene, x + step[0], y + step[1], 16, 16)
        half = size / 2
    elif shape < 0.8:
        width, height = (
            (22, 90) if rng.random() < 0.6 else (int(rng.integers(16, 40)), int(rng.integers(40, 110)))
        )
        mask_rectangle(scene, x, y, width, height)
        half = width / 2
    else:
        width, height = int(rng.integers(14, 60)), int(rng.integers(14, 60))
        mask_rectangle(scene, x, y, width, height)
        half = width / 2
    if rng.random() < 0.7:
        _halo(scene, x, y, half)
    if rng.random() < 0.65:
        _bleed(scene, x, y, half)


def _halo(scene: Scene, x: float, y: float, half_px: float) -> None:
    """The poorly subtracted wings of the star, around its mask."""
    rng = scene.rng
    radius = half_px * rng.uniform(0.7, 1.3)
    dx, dy = grid((slice(0, SIZE_PX), slice(0, SIZE_PX)), x, y)
    distance = dx * dx + dy * dy
    wings = np.exp(distance * np.float32(-0.5 / radius**2))
    speckle = rng.standard_normal((SIZE_PX, SIZE_PX), dtype=np.float32)
    scene.z[:] += wings * (np.float32(rng.normal(0, 2.5)) + np.float32(scene.log_uniform(0.2, 5)) * speckle)


def _bleed(scene: Scene, x: float, y: float, half_px: float) -> None:
    rng = scene.rng
    for side in (-1, 1):
        if rng.random() < 0.25:
            continue
        for _ in range(int(rng.integers(1, 4))):
            row = round(y + rng.normal(0, 3))
            length = scene.log_uniform(6, 110)
            start = x + side * half_px
            left, right = sorted((start, start + side * length))
            columns = np.arange(max(0, int(left)), max(0, min(SIZE_PX, int(right) + 1)))
            if not columns.size or not 0 <= row < SIZE_PX:
                continue
            fade = np.clip(1 - np.abs(columns - start) / length, 0, 1) ** rng.uniform(0.1, 1.5)
            height = scene.log_uniform(1.5, 60) * (1 if rng.random() < 0.8 else -1)
            rows = slice(row, min(SIZE_PX, row + int(rng.choice([1, 1, 2, 3]))))
            scene.z[rows, columns[0] : columns[-1] + 1] += (height * fade).astype(np.float32)


def masked_share(scene: Scene) -> float:
    """The share of the frame that is masked, 0 to 1."""
    return float(np.isnan(scene.z).mean())


def mask_beside_centre(scene: Scene, distance_px: float) -> None:
    """Mask a star at this distance from the middle, in a random direction."""
    angle = scene.rng.uniform(0, 2 * np.pi)
    mask_star(scene, CENTRE_PX + distance_px * np.cos(angle), CENTRE_PX + distance_px * np.sin(angle))
