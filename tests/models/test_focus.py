"""Learning from what the network is wrong about."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.training.fit import Plan, Watch, train
from models.training.focus import EVEN_SHARE, draw
from models.training.preset_images import preset_images
from models.training.recipes import RECIPES

PLAN = Plan(classifier="rb", dataset="sample", seed=5, count=40, epochs=1, batch_size=8, recipe="focused")


class Killed(BaseException):
    """Stands for the process's end: nothing may catch it."""


def test_what_is_drawn_stands_for_the_whole_batch() -> None:
    """The weighted mean of any quantity has the batch's mean as its expectation."""
    chance = np.random.default_rng(3)
    wrongness, quantity = chance.random(64) ** 6, chance.normal(2, 1, 64)
    means = []
    for seed in range(3000):
        chosen, weights = draw(wrongness, 16, np.random.default_rng(seed))
        means.append((weights * quantity[chosen]).mean())
    assert np.mean(means) == pytest.approx(quantity.mean(), abs=0.03)


def test_the_wrong_are_drawn_more_often_and_weigh_less() -> None:
    wrongness = np.full(100, 0.001)
    wrongness[7] = 1.0
    chosen, weights = draw(wrongness, 20, np.random.default_rng(0))
    assert (chosen == 7).sum() >= 10
    assert weights[chosen == 7].max() < weights[chosen != 7].min() <= 1 / EVEN_SHARE


def test_a_network_that_is_never_wrong_learns_from_all_alike() -> None:
    chosen, weights = draw(np.zeros(40), 10, np.random.default_rng(1))
    assert len(set(chosen.tolist())) == 10
    np.testing.assert_allclose(weights, 1.0)


def test_a_focused_training_goes_on_after_a_kill_to_the_same_weights(tmp_path: Path) -> None:
    data = preset_images("rb", "sample", count=40, seed=5)
    plan = replace(PLAN, epochs=2)
    whole = train(plan, data, data, folder=tmp_path / "whole")

    def kill(_: object) -> None:
        raise Killed

    with pytest.raises(Killed):
        train(plan, data, data, folder=tmp_path / "killed", watch=Watch(on_epoch=kill))
    resumed = train(plan, data, data, folder=tmp_path / "killed")
    for a, b in zip(whole.network.get_weights(), resumed.network.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-4)


def test_a_focused_training_looks_at_more_than_it_learns_from(tmp_path: Path) -> None:
    """40 images in pools of four batches of 8 are two steps, of which each learns from 8."""
    data = preset_images("rb", "sample", count=40, seed=5)
    seen: list[int] = []
    train(PLAN, data, data, folder=tmp_path, watch=Watch(on_batch=lambda: seen.append(1)))
    assert RECIPES["focused"].looked_at == 4
    assert len(seen) == 3  # two of learning, one of validation
