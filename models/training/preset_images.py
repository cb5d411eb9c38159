"""A simulated preset as arrays in memory."""

import multiprocessing
import multiprocessing.connection
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import InvalidRequest
from cutouts.benchmark import reserved
from cutouts.recipes import RECIPES, SIZE_PX
from cutouts.simulator import STREAK_KINDS, Kind, Truth, draw, seeds_of
from models.training.labelled_images import LabelledImages

CLASSIFIERS = ("rb", "sl")

VALIDATION_SEED = 1_000_000
"""Added to a training's seed for its validation cutouts, so that no seed in use gives both."""

TEST_SEED = 2_000_000
"""Added to a training's seed for its test cutouts."""

PART = 400
"""Cutouts that a process draws at a time; fewer than four parts are drawn in this one."""

_Drawn = tuple[NDArray[np.uint8], list[Truth]]


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
    for drawn, told in _in_parts(wanted):
        images[len(truths) : len(truths) + len(told)] = drawn
        truths += told
    labels = np.array([t.rb if classifier == "rb" else t.sl for t in truths], np.uint8)
    if len(set(labels.tolist())) < 2:
        raise InvalidRequest(
            f"{preset} with {len(wanted)} cutouts holds one class of {classifier}; expected both"
        )
    return LabelledImages(images, labels, truths)


def _in_parts(wanted: Sequence[tuple[Kind, int]]) -> Iterator[_Drawn]:
    """The cutouts in their order, drawn on all the processors that this process may use."""
    parts = [wanted[start : start + PART] for start in range(0, len(wanted), PART)]
    processes = min(len(os.sched_getaffinity(0)), len(parts))
    if processes < 2 or len(parts) < 4:
        yield from map(_draw_part, parts)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_end_with_parent) as pool:
        yield from pool.map(_draw_part, parts)


def _draw_part(wanted: Sequence[tuple[Kind, int]]) -> _Drawn:
    images = np.empty((len(wanted), SIZE_PX, SIZE_PX, 1), np.uint8)
    truths = []
    for n, (kind, seed) in enumerate(wanted):
        cutout = draw(kind, seed)
        images[n] = RECIPES["deepstreaks-1"](Image.fromarray(cutout.image))
        truths.append(cutout.truth)
    return images, truths


def _end_with_parent() -> None:
    """A pool's process would wait for work for ever once the training that it draws for was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()


def _end_after(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)
