"""What a version changes against another one."""

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from core.errors import InvalidRequest
from cutouts.simulator import Kind, Truth
from models.evaluation import changes, evaluate_bundle, lines_of
from models.evaluation.delta_plots import score_scatter, write_delta_plots
from models.training.labelled_images import LabelledImages

KINDS: tuple[Kind, ...] = ("ghost", "ghost", "short", "short", "long")
BEFORE = np.array([0.1, 0.6, 0.4, 0.9, 0.7])
AFTER = np.array([0.2, 0.4, 0.7, 0.9, 0.3])
DATA = LabelledImages(
    np.zeros((5, 144, 144, 1), np.uint8),
    np.array([0, 0, 1, 1, 1], np.uint8),
    [Truth(name=f"c{n}", kind=kind, rb=int(n > 1), sl=None, seed=100 + n) for n, kind in enumerate(KINDS)],
)


def test_known_changes_are_told() -> None:
    found = changes(BEFORE, AFTER, DATA)
    assert found["delta"]["mean"] == pytest.approx(-0.04)
    assert found["delta"]["quantiles"]["0.5"] == 0.0
    assert found["flipped"] == {"to_1": {"true_0": 0, "true_1": 1}, "to_0": {"true_0": 1, "true_1": 1}}
    assert found["mcnemar"] == {"mended": 2, "broken": 1, "p_value": 1.0}
    assert (found["tpr"], found["tnr"]) == (
        {"before": 0.66667, "after": 0.66667},
        {"before": 0.5, "after": 1.0},
    )
    assert found["by_kind"]["long"] == {"n": 1, "mean_delta": -0.4, "mended": 0, "broken": 1}
    assert json.loads(json.dumps(found)) == found


def test_the_worst_moved_farthest_from_their_truth() -> None:
    worst = changes(BEFORE, AFTER, DATA)["worst"]
    assert [(told["name"], told["kind"], told["seed"], told["flipped"]) for told in worst] == [
        ("c4", "long", 104, True),
        ("c0", "ghost", 100, False),
    ]


def test_each_decides_by_its_own_threshold() -> None:
    found = changes(BEFORE, BEFORE, DATA, threshold_before=0.5, threshold_after=0.65)
    assert found["flipped"] == {"to_1": {"true_0": 0, "true_1": 0}, "to_0": {"true_0": 1, "true_1": 0}}
    assert found["delta"]["max_absolute"] == 0
    assert found["worst"] == []


def test_people_are_told_the_test_and_the_worst() -> None:
    lines = "\n".join(lines_of({"model": "rb@1", **changes(BEFORE, AFTER, DATA)}))
    assert "against rb@1:" in lines
    assert "2 decisions mended, 1 broken, p = 1 (McNemar)" in lines
    assert "long, seed 104, true 1: from 0.7000 to 0.3000, flipped" in lines


def test_the_pictures_are_whole_and_name_both(tmp_path: Path) -> None:
    files = write_delta_plots(tmp_path, BEFORE, AFTER, DATA.labels, names=("rb@1", "rb@2"))
    assert [file.name for file in files] == ["delta_scores.svg", "delta_histogram.svg"]
    for file in files:
        text = file.read_text()
        assert ElementTree.fromstring(text).tag.endswith("svg")
        assert "rb@2 against rb@1" in text
    assert files[0].read_text().count("<circle") == 5 + 2  # and one of each class in the legend


def test_a_picture_of_very_many_draws_every_flipped_one() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 20_000)
    scores = labels * 0.8 + 0.1
    moved = scores.copy()
    moved[:50] = 1 - moved[:50]
    text = score_scatter(scores, moved, labels, names=("rb@1", "rb@2"))
    assert 50 < text.count("<circle") < 2 * 3000 + 60
    assert "of 20000" in text


def test_a_shipped_network_changes_nothing_against_itself(tmp_path: Path) -> None:
    found = evaluate_bundle("rb@3", "rb-2018.9", seed=5, count=40, against="rb@3", plots=tmp_path)
    told = found["against"]
    assert (told["model"], told["n"], told["delta"]["max_absolute"]) == ("rb@3", 40, 0)
    assert told["mcnemar"] == {"mended": 0, "broken": 0, "p_value": 1.0}
    assert {Path(file).name for file in found["plots"]} >= {"delta_scores.svg", "delta_histogram.svg"}


def test_another_classifier_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="rb@3 against sl@2; expected two of one classifier"):
        evaluate_bundle("rb@3", "rb-2018.9", seed=5, count=40, against="sl@2")
