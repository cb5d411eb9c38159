"""What every engine promises, on the reference engine."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from cutouts.recipes import Pixels
from tests.worker.networks import random_bundle
from worker.tensorflow_engine import TensorFlowEngine

VERSIONS = ("rb@1", "sl@1")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> TensorFlowEngine:
    folder = tmp_path_factory.mktemp("bundles")
    engine = TensorFlowEngine((1, 4, 16))
    for seed, version in enumerate(VERSIONS):
        engine.load(*random_bundle(folder, version, seed=seed))
    engine.warm(VERSIONS)
    return engine


@pytest.fixture(scope="module")
def batch() -> Pixels:
    return np.random.default_rng(3).integers(0, 256, (23, 144, 144, 1), dtype=np.uint8)


def test_a_score_per_cutout_and_version_within_0_and_1(engine: TensorFlowEngine, batch: Pixels) -> None:
    scores = engine.score(batch, VERSIONS)
    assert scores.shape == (23, 2)
    assert scores.dtype == np.float32
    assert ((scores >= 0) & (scores <= 1)).all()
    assert np.ptp(scores, axis=0).min() > 0


def test_a_score_does_not_depend_on_its_batch_or_order(engine: TensorFlowEngine, batch: Pixels) -> None:
    together = engine.score(batch, VERSIONS)
    alone = np.concatenate([engine.score(batch[i : i + 1], VERSIONS) for i in range(len(batch))])
    order = np.random.default_rng(4).permutation(len(batch))
    np.testing.assert_allclose(alone, together, atol=1e-5)
    np.testing.assert_allclose(engine.score(batch[order], VERSIONS), together[order], atol=1e-5)


def test_a_score_does_not_depend_on_which_versions_run_beside_it(
    engine: TensorFlowEngine, batch: Pixels
) -> None:
    together = engine.score(batch, VERSIONS)
    np.testing.assert_allclose(engine.score(batch, ("sl@1",))[:, 0], together[:, 1], atol=1e-5)
    np.testing.assert_allclose(engine.score(batch, VERSIONS[::-1]), together[:, ::-1], atol=1e-5)


def test_no_cutouts_give_no_scores(engine: TensorFlowEngine, batch: Pixels) -> None:
    assert engine.score(batch[:0], VERSIONS).shape == (0, 2)


def test_a_dropped_network_is_gone_and_the_others_stay(
    engine: TensorFlowEngine, batch: Pixels, tmp_path: Path
) -> None:
    engine.load(*random_bundle(tmp_path, "kd@1", seed=9))
    assert set(engine.versions) == {*VERSIONS, "kd@1"}
    engine.drop("kd@1")
    assert set(engine.versions) == set(VERSIONS)
    assert engine.score(batch[:1], VERSIONS).shape == (1, 2)


class SmallDevice(TensorFlowEngine):
    """Has memory for three cutouts."""

    memory = 3

    def _start(self, run: Any, batch: Pixels) -> Any:
        if len(batch) > self.memory:
            raise tf.errors.ResourceExhaustedError(None, None, "out of memory")
        return super()._start(run, batch)


def test_a_batch_that_does_not_fit_is_halved_until_it_does_and_is_not_tried_whole_again(
    engine: TensorFlowEngine, batch: Pixels, tmp_path: Path
) -> None:
    small = SmallDevice((1, 4, 16))
    for seed, version in enumerate(VERSIONS):
        small.load(*random_bundle(tmp_path, version, seed=seed))
    np.testing.assert_allclose(small.score(batch, VERSIONS), engine.score(batch, VERSIONS), atol=1e-5)
    assert small._sizes == (1, 2)
    small.memory = 0
    with pytest.raises(tf.errors.ResourceExhaustedError):
        small.score(batch, VERSIONS)
