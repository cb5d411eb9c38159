"""Training can't read a standing benchmark."""

from collections.abc import Iterator

import numpy as np
import pytest

from cutouts.benchmark import STANDING, reserved
from cutouts.recipes import SIZE_PX
from cutouts.simulator import Truth
from models.training import preset_images as images
from models.training.drawing import Part, Wanted
from models.training.labelled_images import LabelledImages
from models.training.preset_images import preset_images, training_images


def keys(data: LabelledImages) -> set[tuple[str, int]]:
    return {(truth.kind, truth.seed) for truth in data.truths}


def test_training_with_a_benchmarks_own_seed_reads_none_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The preset in its own order is the benchmark; a few of it are left free here, to have something."""
    standing = STANDING["rb"]
    drawn = [(t.kind, t.seed) for t in preset_images("rb", standing.preset, count=60, seed=5).truths]
    hidden = frozenset(drawn[:40])
    monkeypatch.setattr(images, "reserved", lambda: hidden)
    left = keys(training_images("rb", standing.preset, count=60, seed=5))
    assert left == set(drawn[40:])
    assert len(left) == 20


def without_pictures(wanted: Wanted) -> Iterator[Part]:
    """As `drawn`, with truths of both classes and nothing to see: 8,479 cutouts take a while to draw."""
    truths = [
        Truth(name="", kind=kind, rb=n % 2, sl=n % 2, seed=seed) for n, (kind, seed) in enumerate(wanted)
    ]
    yield np.zeros((len(truths), SIZE_PX, SIZE_PX, 1), np.uint8), truths


def test_every_cutout_of_both_benchmarks_is_hidden_from_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "drawn", without_pictures)
    hidden = reserved()
    for classifier, standing in STANDING.items():
        data = preset_images(classifier, standing.preset, count=standing.count, seed=standing.seed)
        assert len(data.truths) > 2000
        assert keys(data) <= hidden
