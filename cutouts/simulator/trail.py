"""The trail of a moving point: a segment convolved with the seeing."""

from dataclasses import dataclass

import numpy as np

from cutouts.simulator.scene import SIZE_PX, Plane, Scene, Segment, grid

SHORTEST_WAVE_PX = 12.0
"""A body that turns faster is smeared even by the seeing; what shows separate beads is a satellite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """A straight trail.

    Parameters
    ----------
    x, y : its middle, px.
    length_px, angle_deg : between its ends, before blurring; from the x axis towards the bottom.
    peak_sigma : the highest value of an evenly lit ridge.
    sigma_px : the blur across.
    unevenness : 0 for even; the relative amplitude of the slow change of brightness along the trail.
    wiggle_px : the amplitude of sideways jitter.
    """

    x: float
    y: float
    length_px: float
    angle_deg: float
    peak_sigma: float
    sigma_px: float
    unevenness: float = 0.0
    wiggle_px: float = 0.0

    @property
    def direction(self) -> tuple[float, float]:
        """The unit vector along it, x and y."""
        angle = np.deg2rad(self.angle_deg)
        return float(np.cos(angle)), float(np.sin(angle))

    @property
    def ends(self) -> Segment:
        """Its two ends, px."""
        cos, sin = self.direction
        half = self.length_px / 2
        return self.x - half * cos, self.y - half * sin, self.x + half * cos, self.y + half * sin


def signal_to_noise(length_px: float, peak_sigma: float, sigma_px: float) -> float:
    """Of a matched filter in white unit noise: the peak times the root of the area, (L + 2 s) sqrt(pi) s."""
    return float(peak_sigma * np.sqrt((length_px + 2 * sigma_px) * np.sqrt(np.pi) * sigma_px))


def draw_trail(scene: Scene, trail: Trail) -> None:
    """Add a trail to the scene."""
    x1, y1, x2, y2 = trail.ends
    margin = 4 * trail.sigma_px + trail.wiggle_px
    rows = _clipped(min(y1, y2) - margin, max(y1, y2) + margin)
    columns = _clipped(min(x1, x2) - margin, max(x1, x2) + margin)
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    part = (rows, columns)
    dx, dy = grid(part, trail.x, trail.y)
    cos, sin = np.float32(trail.direction[0]), np.float32(trail.direction[1])
    along = dx * cos + dy * sin
    across = dy * cos - dx * sin
    if trail.wiggle_px:
        across = across + _waves(scene, along, trail.length_px, trail.wiggle_px)
    light = _lit(scene, trail, along) * np.exp(across * across * np.float32(-0.5 / trail.sigma_px**2))
    scene.z[part] += light
    scene.streak[part] += light


def _lit(scene: Scene, trail: Trail, along: Plane) -> Plane:
    """The ridge's value at these positions along the trail."""
    inverse = 1.0 / trail.sigma_px
    half = trail.length_px / 2
    middle = _normal_cdf(np.array([half * inverse], np.float32))[0] * 2 - 1
    scale = np.float32(inverse)
    edge = np.float32(half * inverse)
    t = along * scale
    ridge = (_normal_cdf(t + edge) - _normal_cdf(t - edge)) * np.float32(trail.peak_sigma / max(middle, 0.05))
    if trail.unevenness:
        ridge *= np.maximum(1 + _waves(scene, along, trail.length_px, trail.unevenness), np.float32(0.1))
    return ridge


def _waves(scene: Scene, along: Plane, length_px: float, amplitude: float) -> Plane:
    """A smooth random function of the position along the trail, of about this amplitude."""
    total = np.zeros_like(along)
    for _ in range(2):
        span = min(length_px, SIZE_PX)
        turns = scene.rng.uniform(0.3, max(0.6, min(4.0, span / SHORTEST_WAVE_PX))) * 2 * np.pi / span
        phase, weight = scene.rng.uniform(0, 2 * np.pi), amplitude * scene.rng.uniform(0.3, 1.0)
        total += np.float32(weight) * np.sin(along * np.float32(turns) + np.float32(phase))
    return total


def _normal_cdf(t: Plane) -> Plane:
    """The normal distribution function to 3e-4 (Hendrycks and Gimpel 2016, arXiv:1606.08415, section 2)."""
    half = np.float32(0.5)
    cdf: Plane = half + half * np.tanh(np.float32(0.7978846) * (t + np.float32(0.044715) * t * t * t))
    return cdf


def _clipped(low: float, high: float) -> slice:
    return slice(max(0, int(np.floor(low))), max(0, min(SIZE_PX, int(np.ceil(high)) + 1)))
