"""Figures with known answers."""

import numpy as np
import pytest

from cutouts.simulator import Kind, Truth
from models.evaluation import area_under_roc, figures
from models.training.labelled_images import LabelledImages


def labelled(labels: list[int], kinds: list[Kind]) -> LabelledImages:
    truths = [
        Truth(name="", kind=k, rb=int(y), sl=None, seed=0, peak_sigma=4.0 if y else None)
        for y, k in zip(labels, kinds, strict=True)
    ]
    return LabelledImages(np.zeros((len(labels), 144, 144, 1), np.uint8), np.array(labels, np.uint8), truths)


def test_known_figures() -> None:
    data = labelled([0, 0, 0, 1, 1, 1], ["blank", "ghost", "ghost", "short", "long", "short"])
    found = figures(np.array([0.1, 0.2, 0.7, 0.5, 0.3, 0.9], np.float32), data)
    assert found["confusion_matrix"] == [[2, 1], [1, 2]]
    assert found["n"] == 6
    assert found["tpr"] == found["tnr"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["auc"] == pytest.approx(7 / 9, abs=1e-4)
    assert found["by_kind"]["ghost"] == {"n": 2, "called_1": 1}
    assert found["by_kind"]["short"] == {"n": 2, "called_1": 2}
    assert found["streaks_by_peak_sigma"]["3-5"] == {"n": 3, "called_1": 2}


def test_the_threshold_is_inclusive() -> None:
    data = labelled([0, 1], ["blank", "short"])
    assert figures(np.array([0.5, 0.5], np.float32), data)["confusion_matrix"] == [[0, 1], [0, 1]]


def test_the_area_is_one_for_a_perfect_order_and_a_half_for_none() -> None:
    labels = np.array([0, 0, 1, 1], np.uint8)
    assert area_under_roc(np.array([0.1, 0.2, 0.3, 0.4], np.float32), labels) == 1
    assert area_under_roc(np.array([0.4, 0.3, 0.2, 0.1], np.float32), labels) == 0
    assert area_under_roc(np.full(4, 0.3, np.float32), labels) == 0.5


def test_the_area_does_not_change_under_a_monotone_change_of_the_scores() -> None:
    rng = np.random.default_rng(0)
    scores, labels = rng.random(200, np.float32), rng.integers(0, 2, 200).astype(np.uint8)
    assert area_under_roc(scores, labels) == pytest.approx(area_under_roc(scores**3, labels))
