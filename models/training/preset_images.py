"""A simulated preset as arrays in memory."""

from collections.abc import Callable, Collection
from contextlib import closing

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


def training_images(
    classifier: str,
    preset: str,
    *,
    count: int | None,
    seed: int,
    on_part: Callable[[], None] = lambda: None,
) -> LabelledImages:
    """Simulate a preset as `preset_images` does, without the cutouts of the standing benchmarks."""
    return preset_images(classifier, preset, count=count, seed=seed, without=reserved(), on_part=on_part)


def preset_images(
    classifier: str,
    preset: str,
    *,
    count: int | None,
    seed: int,
    without: Collection[tuple[Kind, int]] = frozenset(),
    on_part: Callable[[], None] = lambda: None,
) -> LabelledImages:
    """Simulate a preset for a classifier, `without` some of its cutouts; sl gets the preset's streaks only.

    `on_part` is called every few hundred cutouts, and may raise to end it. Raises InvalidRequest for a
    classifier without a simulated truth, or when one class would be empty.
    """
    if classifier not in CLASSIFIERS:
        raise InvalidRequest(
            f"no simulated labels for {classifier!r}; expected one of {', '.join(CLASSIFIERS)}"
        )
    wanted = [item for item in seeds_of(preset, count=count, seed=seed) if item not in without]
    if classifier == "sl":
        wanted = [item for item in wanted if item[0] in STREAK_KINDS]
    images = np.empty((len(wanted), SIZE_PX, SIZE_PX, 1), np.uint8)
    truths: list[Truth] = []
    with closing(drawn(wanted)) as parts:
        for part, told in parts:
            images[len(truths) : len(truths) + len(told)] = part
            truths += told
            on_part()
    labels = np.array([t.rb if classifier == "rb" else t.sl for t in truths], np.uint8)
    if len(set(labels.tolist())) < 2:
        raise InvalidRequest(
            f"{preset} with {len(wanted)} cutouts holds one class of {classifier}; expected both"
        )
    return LabelledImages(images, labels, truths)
