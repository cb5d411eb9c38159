"""What every engine promises. A module that imports these tests gives them its own `engine` and `batch`."""

from pathlib import Path

import numpy as np

from cutouts.recipes import Pixels
from tests.worker.networks import random_bundle
from worker.engine import Engine, begin

VERSIONS = ("rb@1", "sl@1")


def test_a_score_per_cutout_and_version_within_0_and_1(engine: Engine, batch: Pixels) -> None:
    scores = engine.score(batch, VERSIONS)
    assert scores.shape == (23, 2)
    assert scores.dtype == np.float32
    assert ((scores >= 0) & (scores <= 1)).all()
    assert np.ptp(scores, axis=0).min() > 0


def test_a_score_does_not_depend_on_its_batch_or_order(engine: Engine, batch: Pixels) -> None:
    together = engine.score(batch, VERSIONS)
    alone = np.concatenate([engine.score(batch[i : i + 1], VERSIONS) for i in range(len(batch))])
    order = np.random.default_rng(4).permutation(len(batch))
    np.testing.assert_allclose(alone, together, atol=1e-5)
    np.testing.assert_allclose(engine.score(batch[order], VERSIONS), together[order], atol=1e-5)


def test_a_score_does_not_depend_on_which_versions_run_beside_it(engine: Engine, batch: Pixels) -> None:
    together = engine.score(batch, VERSIONS)
    np.testing.assert_allclose(engine.score(batch, ("sl@1",))[:, 0], together[:, 1], atol=1e-5)
    np.testing.assert_allclose(engine.score(batch, VERSIONS[::-1]), together[:, ::-1], atol=1e-5)


def test_batches_begun_one_behind_the_other_score_as_each_alone(engine: Engine, batch: Pixels) -> None:
    begun = [begin(engine, part, VERSIONS) for part in (batch[:17], batch[17:])]
    found = np.concatenate([awaited() for awaited in begun])
    np.testing.assert_allclose(found, engine.score(batch, VERSIONS), atol=1e-5)


def test_no_cutouts_give_no_scores(engine: Engine, batch: Pixels) -> None:
    assert engine.score(batch[:0], VERSIONS).shape == (0, 2)


def test_a_dropped_network_is_gone_and_the_others_stay(engine: Engine, batch: Pixels, tmp_path: Path) -> None:
    engine.load(*random_bundle(tmp_path, "kd@1", seed=9))
    assert set(engine.versions) == {*VERSIONS, "kd@1"}
    engine.drop("kd@1")
    assert set(engine.versions) == set(VERSIONS)
    assert engine.score(batch[:1], VERSIONS).shape == (1, 2)
