"""One cutout from its kind and seed."""

import numpy as np
from numpy.typing import NDArray

from core.instrument import Instrument
from cutouts.instruments import ZTF
from cutouts.simulator.backgrounds import Backgrounds
from cutouts.simulator.bogus import draw_bogus
from cutouts.simulator.ghosts import draw_ghost
from cutouts.simulator.marks import fitted_ends, mark_ends
from cutouts.simulator.masks import mask_beside_centre, mask_corridor, mask_edge
from cutouts.simulator.residuals import draw_field
from cutouts.simulator.scene import SIZE_PX, Scene, Segment
from cutouts.simulator.sky import sky
from cutouts.simulator.strays import draw_cosmic_ray
from cutouts.simulator.streaks import LONGEST_PX, draw_long, draw_short, draw_short_hard
from cutouts.simulator.trail import Trail
from cutouts.simulator.truth import STREAK_KINDS, Kind, SimulatedCutout, Truth
from cutouts.simulator.visibility import can_be_seen
from cutouts.stretch import to_grey

_STREAKS = {"short": draw_short, "short_hard": draw_short_hard, "long": draw_long}

MARKED_SHARE = 0.6
TRUNCATED_SHARE = 0.05

SHORTEST_PX = 10.0
"""The survey's pipeline fits no streak that is shorter than five times the seeing's width."""


def draw(
    kind: Kind,
    seed: int,
    *,
    name: str = "",
    backgrounds: Backgrounds | None = None,
    instrument: Instrument = ZTF,
) -> SimulatedCutout:
    """Simulate one cutout, on simulated sky or on a given one: the same arguments give the same bytes.

    It looks as the recipe `fits-1` makes an instrument's cutouts look, at 1.01 arcsec/px: the seeing, lengths
    for its exposure, noise from its pixels, and nothing brighter than it can hold.
    """
    rng = np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed)))
    scene, trail = _drawn(kind, rng, backgrounds, instrument)
    while trail is not None and not can_be_seen(scene, trail):
        scene, trail = _drawn(kind, rng, backgrounds, instrument)
    if instrument.saturation_sigma is not None:
        np.minimum(scene.z, np.float32(instrument.saturation_sigma), out=scene.z)
    grey = to_grey(scene.z, _mask_grey(rng))
    image = np.repeat(grey[:, :, np.newaxis], 3, axis=2)
    segment = trail.ends if trail else None
    ends = fitted_ends(scene, segment)
    if rng.random() < MARKED_SHARE:
        mark_ends(image, ends)
    if rng.random() < TRUNCATED_SHARE:
        image = _truncate(rng, image, None if kind == "long" else segment)
    return SimulatedCutout(image, _truth(name, kind, seed, trail))


def _drawn(
    kind: Kind, rng: np.random.Generator, backgrounds: Backgrounds | None, instrument: Instrument
) -> tuple[Scene, Trail | None]:
    """A scene with all that is on it, and the streak, where there is one."""
    native_px = instrument.arcsec_per_px / ZTF.arcsec_per_px
    wider = instrument.fwhm_arcsec / ZTF.fwhm_arcsec
    sheet = sky(rng, native_px=native_px) if backgrounds is None else backgrounds.pick(rng)
    scene = Scene(
        sheet,
        rng,
        fwhm_px=wider * float(np.clip(rng.normal(2.3, 0.35), 1.6, 3.6)),
        exposure=instrument.exposure_s / ZTF.exposure_s,
        shortest_px=min(wider * SHORTEST_PX, LONGEST_PX / 2),
    )
    if backgrounds is None:
        _surroundings(scene, crowded=kind == "short_hard")
    if kind in STREAK_KINDS:
        return scene, _STREAKS[kind](scene)
    draw_bogus(scene, kind)
    return scene, None


def _mask_grey(rng: np.random.Generator) -> int:
    return 204 if rng.random() < 0.6 else int(rng.integers(204, 225))


def _surroundings(scene: Scene, *, crowded: bool) -> None:
    """What any cutout may hold beside what it was cut out for."""
    rng = scene.rng
    density = rng.lognormal(np.log(2.5), 1.0) + (rng.uniform(4, 20) if crowded and rng.random() < 0.5 else 0)
    draw_field(scene, density)
    if rng.random() < 0.3:
        mask_beside_centre(scene, rng.uniform(45, 95))
    if rng.random() < 0.07:
        mask_edge(scene)
    if rng.random() < 0.04:
        side, angle = rng.uniform(25, 75) * rng.choice([-1, 1]), rng.uniform(0, 180)
        x, y = SIZE_PX / 2 - side * np.sin(np.deg2rad(angle)), SIZE_PX / 2 + side * np.cos(np.deg2rad(angle))
        mask_corridor(scene, x, y, angle, rng.uniform(3, 12))
    if rng.random() < 0.05:
        distance, angle = rng.uniform(45, 80), rng.uniform(0, 2 * np.pi)
        draw_ghost(scene, SIZE_PX / 2 + distance * np.cos(angle), SIZE_PX / 2 + distance * np.sin(angle))
    if rng.random() < 0.08:
        x, y = rng.uniform(0, SIZE_PX, 2)
        draw_cosmic_ray(scene, x, y)


def _truncate(rng: np.random.Generator, image: NDArray[np.uint8], keep: Segment | None) -> NDArray[np.uint8]:
    """Cut one side off, as at a CCD's edge (131x157 is a typical size), but nothing of a short streak."""
    depth, side = int(rng.integers(6, 53)), int(rng.integers(4))
    if keep is not None:
        outer = min(keep[0], keep[2], keep[1], keep[3]), max(keep)
        depth = int(min(depth, max(0.0, min(outer[0], SIZE_PX - 1 - outer[1]) - 6)))
    last = SIZE_PX - depth
    return (image[depth:], image[:last], image[:, depth:], image[:, :last])[side]


def _truth(name: str, kind: Kind, seed: int, trail: Trail | None) -> Truth:
    if trail is None:
        return Truth(name=name, kind=kind, rb=0, sl=None, seed=seed)
    return Truth(
        name=name,
        kind=kind,
        rb=1,
        sl=int(kind != "long"),
        seed=seed,
        length_px=round(trail.length_px, 1),
        angle_deg=round(trail.angle_deg, 1),
        peak_sigma=round(trail.peak_sigma, 2),
    )
