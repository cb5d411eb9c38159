"""A preset's cutouts, one after the other."""

from collections.abc import Iterator

import numpy as np

from core.instrument import Instrument
from cutouts.instruments import ZTF
from cutouts.simulator.backgrounds import Backgrounds
from cutouts.simulator.drawing import draw
from cutouts.simulator.presets import kinds_of
from cutouts.simulator.truth import Kind, SimulatedCutout


def seeds_of(preset: str, *, count: int | None, seed: int) -> list[tuple[Kind, int]]:
    """The kind and the seed of each of a preset's cutouts; seeds are below 2^48."""
    kinds = kinds_of(preset, count=count, seed=seed)
    state = np.random.SeedSequence([seed, 1]).generate_state(len(kinds), np.uint64)
    return [(kind, int(word) & (2**48 - 1)) for kind, word in zip(kinds, state, strict=True)]


def simulate(
    preset: str,
    *,
    count: int | None = None,
    seed: int,
    backgrounds: Backgrounds | None = None,
    instrument: Instrument = ZTF,
) -> Iterator[SimulatedCutout]:
    """Yield a preset's cutouts in their order; the same arguments give the same bytes.

    With `backgrounds` they are drawn on those, which bring their own stars and masks, instead of on
    simulated sky.

    Raises InvalidRequest for an unknown preset or a count below 1.
    """
    for n, (kind, cutout_seed) in enumerate(seeds_of(preset, count=count, seed=seed)):
        name = f"{preset}-{seed}-{n:06d}"
        yield draw(kind, cutout_seed, name=name, backgrounds=backgrounds, instrument=instrument)
