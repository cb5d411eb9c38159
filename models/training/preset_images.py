"""A simulated preset as arrays in memory."""

import numpy as np

from core.errors import InvalidRequest
from cutouts.benchmark import reserved
from cutouts.recipes import SIZE_PX
from cutouts.simulator import STREAK_KINDS, Kind, Truth, seeds_of
from models.training.drawing import drawn
from models.training.labelled_images import LabelledImages

CLASSIFIERS = ("rb", "sl")

VALIDATION_SEED = 1_000_000
"""Added to a training's seed for its validation cutouts, so that no seed in use gives both."""

TEST_SEED = 2_000_000
"""Added to a training's seed for its test cutouts."""


def training_images(classifier: str, preset: str, *, count: int | None, seed: int) -> LabelledImages:
    """Simulate a preset as `preset_images` does, without the cutouts of the standing benchmarks."""
    return _simulated(classifier, preset, count=count, seed=seed, without=reserved())


def preset_images(classifier: str, preset: str, *, count: int | None, seed: int) -> LabelledImages:
    """Simulate a preset for a classifier; sl gets the preset's streaks only.

    Raises InvalidRequest for a classifier without a simulated truth, or when one class would be empty.
    """
    return _simulated(classifier, preset, count=count, seed=seed, without=frozenset())


def _simulated(
    classifier: str, preset: str, *, count: int | None, seed: int, without: frozenset[tuple[Kind, int]]
) -> LabelledImages:
    if classifier not in CLASSIFIERS:
        raise InvalidRequest(
            f"no simulated labels for {classifier!r}; expected one of {', '.join(CLASSIFIERS)}"
        )
    wanted = [item for item in seeds_of(preset, count=count, seed=seed) if item not in without]
    if classifier == "sl":
        wanted = [item for item in wanted if item[0] in STREAK_KINDS]
    images = np.empty((len(wanted), SIZE_PX, SIZE_PX, 1), np.uint8)
    truths: list[Truth] = []
    for part, told in drawn(wanted):
        images[len(truths) : len(truths) + len(told)] = part
        truths += told
    labels = np.array([t.rb if classifier == "rb" else t.sl for t in truths], np.uint8)
    if len(set(labels.tolist())) < 2:
        raise InvalidRequest(
            f"{preset} with {len(wanted)} cutouts holds one class of {classifier}; expected both"
        )
    return LabelledImages(images, labels, truths)
