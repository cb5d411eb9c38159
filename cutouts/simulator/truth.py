"""What is known of a simulated cutout."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal[
    "short",
    "short_hard",
    "long",
    "masked_star",
    "blank",
    "yin_yang",
    "ghost",
    "flash",
    "cosmic_ray",
]

STREAK_KINDS: tuple[Kind, ...] = ("short", "short_hard", "long")
BOGUS_KINDS: tuple[Kind, ...] = ("masked_star", "blank", "yin_yang", "ghost", "flash", "cosmic_ray")


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What was drawn.

    Lengths are in pixels of 1.01 arcsec, angles in degrees from the x axis towards the bottom, [0, 180);
    the peak is that of the trail's ridge in robust sigmas of the sky. The last three are None for bogus.
    `draw(kind, seed)` makes the same cutout again.
    """

    name: str
    kind: Kind
    rb: int
    sl: int | None
    seed: int
    length_px: float | None = None
    angle_deg: float | None = None
    peak_sigma: float | None = None


@dataclass(frozen=True, slots=True)
class SimulatedCutout:
    """An image, (height, width, 3) uint8 RGB with sky at 204, and its truth."""

    image: NDArray[np.uint8]
    truth: Truth
