"""What global statistics tell of the truth, and whether the examination would find an easy simulator."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import InvalidRequest
from cutouts.simulator import SimulatedCutout, simulate, write_night
from models.__main__ import main
from models.evaluation.examination import FEATURES, LIMITS, examine, statistics
from models.evaluation.figures import area_under_roc
from models.evaluation.logistic import fit_logistic


def feature(image: NDArray[np.uint8], name: str) -> float:
    return float(statistics(image)[FEATURES.index(name)])


def test_logistic_regression_finds_the_odds_of_two_groups() -> None:
    """Known answer: with one feature of 0 and 1 the fitted odds are the observed ones."""
    x = np.repeat([0.0, 1.0], 100)[:, np.newaxis]
    labels = np.concatenate([np.arange(100) < 20, np.arange(100) < 70])
    found = fit_logistic(x, labels, l2=1e-9)
    assert found.logits(np.array([[0.0], [1.0]])) == pytest.approx(
        [np.log(20 / 80), np.log(70 / 30)], abs=1e-5
    )


def test_logistic_regression_does_not_depend_on_units() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3))
    labels = x @ [1.0, -2.0, 0.0] + rng.normal(size=400) > 0
    one = fit_logistic(x, labels)
    other = fit_logistic(x * [1e6, 1e-3, 5] + [7, 0, -3], labels)
    assert one.weights == pytest.approx(other.weights, abs=1e-6)
    assert one.weights[1] < -1 < 0 < one.weights[0]


def test_logistic_regression_ends_where_classes_part_and_where_a_feature_is_constant() -> None:
    x = np.column_stack([np.arange(20.0), np.full(20, 3.0)])
    labels = np.arange(20) >= 10
    found = fit_logistic(x, labels)
    assert np.isfinite(found.weights).all()
    assert found.weights[1] == 0
    assert area_under_roc(found.logits(x), labels) == 1


def test_the_penalty_shrinks() -> None:
    x = np.arange(20.0)[:, np.newaxis]
    labels = np.arange(20) >= 8
    weights = [abs(fit_logistic(x, labels, l2=l2).weights[0]) for l2 in (0.1, 1, 10, 1000)]
    assert weights == sorted(weights, reverse=True)
    assert weights[-1] < 0.05


@pytest.mark.parametrize(
    ("x", "labels", "l2"), [([[np.nan], [1]], [0, 1], 1), ([[0], [1]], [1, 1], 1), ([[0], [1]], [0, 1], 0)]
)
def test_what_can_t_be_fitted_is_refused(x: list[list[float]], labels: list[int], l2: float) -> None:
    with pytest.raises(InvalidRequest, match="expected"):
        fit_logistic(np.array(x, float), np.array(labels, bool), l2=l2)


def noise(seed: int = 0) -> NDArray[np.uint8]:
    grey = np.clip(np.random.default_rng(seed).normal(204, 20, (157, 131)), 0, 255).astype(np.uint8)
    return np.repeat(grey[:, :, np.newaxis], 3, axis=2)


def test_statistics_of_a_known_image() -> None:
    image = noise()
    assert (feature(image, "height"), feature(image, "width")) == (157, 131)
    assert feature(image, "red pixels") == 0
    assert feature(image, "masked fraction") ** 2 < 0.01
    shares = np.exp(statistics(image)[:32]) - 1e-4
    assert shares.sum() == pytest.approx(1)
    assert np.argmax(shares) in (24, 25, 26)
    image[20:60, 20:70] = 210
    image[100, [10, 90]] = (254, 0, 0)
    assert feature(image, "masked fraction") ** 2 == pytest.approx(40 * 50 / (157 * 131), abs=0.01)
    assert feature(image, "red pixels") == pytest.approx(np.sqrt(2))


@pytest.mark.parametrize("turn", [np.flipud, np.fliplr])
def test_statistics_do_not_tell_where_anything_is(
    turn: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
) -> None:
    image = noise()
    image[20:60, 20:70] = 210
    assert statistics(turn(image)) == pytest.approx(statistics(image), abs=5e-3)


def test_an_examination_is_repeated_by_its_seed(capsys: pytest.CaptureFixture[str]) -> None:
    found = examine("sample", seed=3, count=120)
    assert found == examine("sample", seed=3, count=120)
    assert (found["n"], found["held_out"], found["limit"]) == (120, 60, LIMITS["rb"])
    assert found["auc_interval"][0] <= found["auc"] <= found["auc_interval"][1]
    weights = [abs(feature["weight"]) for feature in found["features"]]
    assert weights == sorted(weights, reverse=True)
    assert {feature["name"] for feature in found["features"]} == set(FEATURES)
    status = main(["examine", "sample", "--seed", "3", "--count", "120", "--json"])
    told = capsys.readouterr()
    assert json.loads(told.out) == found
    assert status == int(not found["below_limit"])
    assert "limit 0.8" in told.err


def test_an_easy_simulator_misses_the_limit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With red marks on streaks only, the examination has to find it out."""

    def marked(preset: str, *, count: int | None, seed: int) -> Iterator[SimulatedCutout]:
        for cutout in simulate(preset, count=count, seed=seed):
            cutout.image[40, 40:44] = (254, 0, 0) if cutout.truth.rb else 204
            yield cutout

    monkeypatch.setattr("models.evaluation.examination.simulate", marked)
    assert main(["examine", "sample", "--seed", "3", "--count", "120", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["auc"] > 0.95
    assert found["auc_of_group"]["red pixels"] > 0.95
    assert found["features"][0]["name"] == "red pixels"


def test_sl_has_no_limit() -> None:
    found = examine("sl-2018.9", seed=3, count=40, classifier="sl")
    assert (found["limit"], found["below_limit"]) == (None, None)


def test_a_folder_is_examined_as_its_files_are(tmp_path: Path) -> None:
    write_night(tmp_path, "sample", count=40, seed=3)
    assert examine(str(tmp_path), seed=3)["n"] == 40
    picture = next(tmp_path.rglob("*.jpg"))
    picture.write_bytes(picture.read_bytes()[:500])
    with pytest.raises(InvalidRequest, match="can't be decoded"):
        examine(str(tmp_path), seed=3)


@pytest.mark.parametrize(
    ("dataset", "count", "classifier", "said"),
    [
        ("nonsense", None, "rb", "no preset and no folder 'nonsense'"),
        ("sl-2018.9", 20, "rb", "0 zeros of rb; expected at least 4 of each"),
        ("sample", 3, "rb", "expected at least 4 of each"),
        ("sample", 20, "kd", "no known truth for 'kd'"),
    ],
)
def test_what_can_t_be_examined_is_refused(
    dataset: str, count: int | None, classifier: str, said: str
) -> None:
    with pytest.raises(InvalidRequest, match=said):
        examine(dataset, seed=1, count=count, classifier=classifier)


@pytest.mark.parametrize("seed", ["-1", "x", "1.5"])
def test_a_seed_that_is_none_is_a_usage_error(seed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["examine", "sample", f"--seed={seed}"])
    assert ended.value.code == 2
    assert "expected a whole number" in capsys.readouterr().err
