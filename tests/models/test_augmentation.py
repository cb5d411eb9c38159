"""Augmentation: the symmetries of the sky, and batches that repeat by seed."""

import numpy as np
from numpy.typing import NDArray

from cutouts.recipes import Pixels
from models.training.augmentation import _soften, _turn, augment
from models.training.batches import Batches


def images(n: int = 16) -> Pixels:
    return np.random.default_rng(1).integers(0, 256, (n, 144, 144, 1)).astype(np.uint8)


def test_the_eight_symmetries_are_all_different_and_keep_every_pixel() -> None:
    same = np.repeat(images(1), 8, axis=0)
    turned = _turn(same, np.arange(8))
    assert len({t.tobytes() for t in turned}) == 8
    for t in turned:
        assert np.array_equal(np.bincount(t.ravel()), np.bincount(same[0].ravel()))


def test_softening_keeps_flat_sky_within_a_few_grey_levels() -> None:
    sky = np.full((8, 144, 144, 1), 204, np.uint8)
    assert np.abs(_soften(sky, np.random.default_rng(0)).astype(int) - 204).max() <= 4


def test_the_input_is_left_as_it_was() -> None:
    before = images()
    kept = before.copy()
    augment(before, np.random.default_rng(0))
    assert np.array_equal(before, kept)


def test_batches_repeat_by_seed_and_epoch_and_hold_every_image_once() -> None:
    data, labels = images(10), np.arange(10, dtype=np.uint8)

    def epoch(seed: int, number: int) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        batches = Batches(data, labels, batch_size=4, augmented=True, seed=seed, epoch=number)
        return [batches[n] for n in range(len(batches))]

    first, again, later = epoch(1, 0), epoch(1, 0), epoch(1, 1)
    assert [len(x) for x, _ in first] == [4, 4, 4]
    labelled = np.concatenate([y for _, y in first])
    assert sorted(labelled[:10]) == list(range(10))
    assert list(labelled[10:]) == list(labelled[:2])
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0][0], later[0][0])
    assert first[0][0].dtype == np.float32
    assert first[0][0].max() <= 1


def test_batches_can_be_left_as_they_are() -> None:
    data, labels = images(10), np.arange(10, dtype=np.uint8)
    x, y = Batches(data, labels, batch_size=10, augmented=False, seed=1, epoch=0)[0]
    assert np.array_equal(x, data[y.astype(int)].astype(np.float32) / np.float32(255))
