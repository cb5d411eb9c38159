"""Labelled cutouts from a seed: streaks and bogus as the survey's pipeline cuts them out.

Here live the sky, what is drawn on it, presets and files. Networks and their input don't.
"""

from cutouts.simulator.backgrounds import Backgrounds, read_backgrounds
from cutouts.simulator.drawing import draw
from cutouts.simulator.night import write_night
from cutouts.simulator.presets import PRESETS
from cutouts.simulator.stream import seeds_of, simulate
from cutouts.simulator.truth import BOGUS_KINDS, STREAK_KINDS, Kind, SimulatedCutout, Truth

__all__ = [
    "BOGUS_KINDS",
    "PRESETS",
    "STREAK_KINDS",
    "Backgrounds",
    "Kind",
    "SimulatedCutout",
    "Truth",
    "draw",
    "read_backgrounds",
    "seeds_of",
    "simulate",
    "write_night",
]
