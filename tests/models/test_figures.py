"""Figures of scores against truths: known answers, invariances."""

import json
from math import inf, isnan, nan

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import InvalidRequest
from core.wilson import wilson_interval
from cutouts.simulator import Kind, Truth
from models.evaluation import all_figures
from models.evaluation.bootstrap import bootstrap, precision_band, roc_band
from models.evaluation.calibration import calibration
from models.evaluation.curves import precision_recall_curve, roc_curve, threshold_for_tnr, threshold_for_tpr
from models.evaluation.figures import area_under_roc, at_prevalence, checked, confusion
from models.evaluation.groups import by_kind, by_length, by_peak
from models.evaluation.report import serving_prevalence
from models.training.labelled_images import LabelledImages

SCORES = np.array([0.1, 0.2, 0.7, 0.5, 0.3, 0.9])
LABELS = np.array([0, 0, 0, 1, 1, 1], np.uint8)


def drawn(n: int = 2000, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Scores of two classes that overlap, with ties."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.4).astype(np.uint8)
    return np.round(1 / (1 + np.exp(-rng.normal(3.0 * labels - 1.5, 1.0))), 3), labels


def streak(kind: Kind, length: float | None, peak: float | None) -> Truth:
    real = int(kind in ("short", "long"))
    return Truth(
        name="",
        kind=kind,
        rb=real,
        sl=real or None,
        seed=0,
        length_px=length,
        angle_deg=None,
        peak_sigma=peak,
    )


def test_known_counts_and_rates() -> None:
    found = confusion(SCORES, LABELS, threshold=0.5)
    assert found.matrix == [[2, 1], [1, 2]]
    assert (found.tpr, found.tnr, found.precision) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    nothing = confusion(SCORES, LABELS, threshold=2)
    assert nothing.matrix == [[3, 0], [3, 0]]
    assert isnan(nothing.precision)


def test_the_area_is_that_of_all_pairs() -> None:
    scores, labels = drawn(300)
    ones, zeros = scores[labels == 1][:, np.newaxis], scores[labels == 0]
    pairs = (ones > zeros).mean() + (ones == zeros).mean() / 2
    assert area_under_roc(scores, labels) == pytest.approx(pairs, abs=1e-12)


def test_swapped_classes_give_the_rest_of_the_area() -> None:
    scores, labels = drawn()
    swapped = area_under_roc(scores, 1 - labels)
    assert area_under_roc(scores, labels) + swapped == pytest.approx(1, abs=1e-12)


def test_the_area_below_the_roc_curve_is_the_area_by_ranks() -> None:
    scores, labels = drawn()
    curve = roc_curve(scores, labels, points=10**6)
    assert np.trapezoid(curve.tpr, curve.fpr) == pytest.approx(area_under_roc(scores, labels), abs=1e-12)
    thin = roc_curve(scores, labels, points=100)
    assert len(thin.fpr) <= 102
    assert np.trapezoid(thin.tpr, thin.fpr) == pytest.approx(area_under_roc(scores, labels), abs=2e-3)


@pytest.mark.parametrize("points", [5, 300, 10**6])
def test_thinned_curves_keep_their_ends(points: int) -> None:
    scores, labels = drawn()
    roc = roc_curve(scores, labels, points=points)
    assert (roc.fpr[0], roc.tpr[0], roc.threshold[0]) == (0, 0, inf)
    assert (roc.fpr[-1], roc.tpr[-1], roc.threshold[-1]) == (1, 1, scores.min())
    pr = precision_recall_curve(scores, labels, points=points)
    assert pr.threshold[0] == scores.max()
    assert (pr.recall[-1], pr.precision[-1]) == (1, pytest.approx(labels.mean()))
    assert pr.average_precision == precision_recall_curve(scores, labels).average_precision


def test_known_curves() -> None:
    roc = roc_curve(SCORES, LABELS)
    assert roc.fpr.tolist() == pytest.approx([0, 0, 1 / 3, 1 / 3, 1])
    assert roc.tpr.tolist() == pytest.approx([0, 1 / 3, 1 / 3, 1, 1])
    pr = precision_recall_curve(SCORES, LABELS)
    assert pr.average_precision == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)


def test_curves_do_not_change_under_a_monotone_change_of_the_scores() -> None:
    scores, labels = drawn()
    one, other = roc_curve(scores, labels), roc_curve(np.exp(5 * scores), labels)
    assert np.array_equal(one.fpr, other.fpr)
    assert np.array_equal(one.tpr, other.tpr)


def test_a_wanted_completeness_is_reached_and_no_higher_threshold_reaches_it() -> None:
    for wanted, threshold in [(0.3, 0.9), (1 / 3, 0.9), (0.34, 0.5), (0.67, 0.3), (1.0, 0.3)]:
        assert threshold_for_tpr(SCORES, LABELS, wanted) == threshold
    scores, labels = drawn()
    for wanted in (0.07, 0.5, 0.95, 0.99, 1.0):
        threshold = threshold_for_tpr(scores, labels, wanted)
        assert confusion(scores, labels, threshold=threshold).tpr >= wanted
        assert confusion(scores, labels, threshold=threshold + 1e-9).tpr < wanted


def test_a_wanted_tnr_is_reached_and_no_lower_score_reaches_it() -> None:
    for wanted, threshold in [(0.3, 0.2), (1 / 3, 0.2), (0.5, 0.3), (2 / 3, 0.3), (0.9, 0.9), (1.0, 0.9)]:
        assert threshold_for_tnr(SCORES, LABELS, wanted) == threshold
    scores, labels = drawn()
    for wanted in (0.07, 0.5, 0.95, 0.99, 1.0):
        threshold = threshold_for_tnr(scores, labels, wanted)
        assert confusion(scores, labels, threshold=threshold).tnr >= wanted
        lower = scores[scores < threshold].max()
        assert confusion(scores, labels, threshold=lower).tnr < wanted


def test_a_tnr_that_only_calling_nothing_reaches_has_no_threshold() -> None:
    assert threshold_for_tnr(np.array([0.9, 0.9, 0.2]), np.array([0, 1, 1]), 1.0) == inf


@pytest.mark.parametrize("wanted", [0, -0.1, 1.1, nan])
def test_a_wanted_rate_outside_0_to_1_is_refused(wanted: float) -> None:
    for rule in (threshold_for_tpr, threshold_for_tnr):
        with pytest.raises(InvalidRequest, match="expected more than 0"):
            rule(SCORES, LABELS, wanted)


def test_precision_at_prevalence_by_hand() -> None:
    """Of 1000, 30 are real and 29 of them found; of 970 bogus 10 are called real."""
    precision, passed = at_prevalence(tpr=29 / 30, tnr=960 / 970, positives=0.03)
    assert precision == pytest.approx(29 / 39)
    assert passed == pytest.approx(0.039)
    assert isnan(at_prevalence(tpr=0, tnr=1, positives=0.03)[0])
    with pytest.raises(InvalidRequest, match="expected 0 to 1"):
        at_prevalence(tpr=1, tnr=1, positives=3)


def test_prevalence_is_the_night_s() -> None:
    assert serving_prevalence("rb") == pytest.approx(0.03)
    assert serving_prevalence("sl") == pytest.approx(0.002 / 0.03)


def test_bootstrap_intervals_are_seeded_and_hold_what_they_are_of() -> None:
    scores, labels = drawn()
    found = bootstrap(scores, labels, threshold=0.5, seed=3)
    assert found == bootstrap(scores, labels, threshold=0.5, seed=3)
    assert found != bootstrap(scores, labels, threshold=0.5, seed=4)
    counts = confusion(scores, labels, threshold=0.5)
    held = [
        (found.auc, area_under_roc(scores, labels)),
        (found.tpr, counts.tpr),
        (found.tnr, counts.tnr),
    ]
    for (low, high), value in held:
        assert low < value < high
    assert found.tpr == pytest.approx(wilson_interval(counts.tp, counts.tp + counts.fn), abs=0.01)


def test_bootstrap_intervals_hold_the_true_area_about_95_times_in_100() -> None:
    truth = 0.98305  # two normal distributions 3 apart: Phi(3 / sqrt 2)
    held = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        labels = np.repeat([0, 1], 150)
        low, high = bootstrap(rng.normal(3 * labels, 1), labels, threshold=0.5, seed=seed, resamples=300).auc
        held += low <= truth <= high
    assert 51 <= held <= 60


def test_bands_hold_their_curves() -> None:
    scores, labels = drawn()
    roc = roc_curve(scores, labels, points=10**6)
    grid = np.array([0.0, 0.01, 0.1, 0.5, 1.0])
    low, high = roc_band(scores, labels, grid, seed=1)
    at = roc.tpr[np.searchsorted(roc.fpr, grid + 1e-9, side="right") - 1]
    assert ((low <= at) & (at <= high)).all()
    assert low[-1] == high[-1] == 1
    recall = np.array([0.1, 0.5, 0.9, 1.0])
    low, high = precision_band(scores, labels, recall, seed=1)
    pr = precision_recall_curve(scores, labels, points=10**6)
    at = pr.precision[np.searchsorted(pr.recall, recall - 1e-9)]
    assert ((low <= at) & (at <= high)).all()
    assert np.array_equal(low, precision_band(scores, labels, recall, seed=1)[0])


def test_bands_of_classes_that_part_are_their_corner() -> None:
    scores, labels = np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 0, 1, 1])
    assert (roc_band(scores, labels, np.array([0.0, 0.5, 1.0]), seed=0) == 1).all()
    assert (precision_band(scores, labels, np.array([0.5, 1.0]), seed=0) == 1).all()


def test_rates_without_an_error_do_not_get_a_certain_interval() -> None:
    found = bootstrap(np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 0, 1, 1]), threshold=0.5, seed=0)
    assert found.tpr == found.tnr == wilson_interval(2, 2)
    assert found.tpr[0] < 0.4


def test_wilson_s_interval_by_hand() -> None:
    assert wilson_interval(0, 0) == (0, 1)
    assert wilson_interval(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    low, high = wilson_interval(1, 10)
    assert (1 - high, 1 - low) == pytest.approx(wilson_interval(9, 10))
    assert wilson_interval(10, 10) == pytest.approx((0.7225, 1), abs=1e-4)
    with pytest.raises(InvalidRequest):
        wilson_interval(3, 2)


def test_calibration_by_hand() -> None:
    found = calibration(np.array([0.0, 0.04, 0.25, 0.95, 1.0]), np.array([0, 0, 1, 1, 1]))
    assert [b.n for b in found.bins] == [2, 0, 1, 0, 0, 0, 0, 0, 0, 2]
    assert [b.ones for b in found.bins] == [0, 0, 1, 0, 0, 0, 0, 0, 0, 2]
    assert found.bins[0].mean_score == pytest.approx(0.02)
    assert isnan(found.bins[1].share_of_1)
    assert found.expected_error == pytest.approx((0.04 + 0.75 + 0.05) / 5)
    assert found.brier == pytest.approx((0.04**2 + 0.75**2 + 0.05**2) / 5)


def test_scores_that_say_what_happens_are_calibrated() -> None:
    rng = np.random.default_rng(1)
    scores = rng.random(40_000)
    found = calibration(scores, rng.random(40_000) < scores)
    assert found.expected_error < 0.01
    assert found.brier == pytest.approx(1 / 6, abs=0.01)


def test_groups_by_kind_length_and_peak() -> None:
    truths = [
        streak("short", 10.0, 2.0),
        streak("short", 9.9, 2.25),
        streak("long", 300.0, 40.0),
        streak("ghost", None, None),
    ]
    called, labels = np.array([True, False, True, True]), np.array([True, True, True, False])
    kinds = by_kind(called, labels, truths)
    assert {name: (g.n, g.called_1, g.right) for name, g in kinds.items()} == {
        "ghost": (1, 1, 0),
        "long": (1, 1, 1),
        "short": (2, 1, 1),
    }
    lengths = by_length(called, labels, truths)
    assert {name: (g.n, g.right) for name, g in lengths.items() if g.n} == {
        "0-10": (1, 0),
        "10-20": (1, 1),
        "110+": (1, 1),
    }
    peaks = by_peak(called, labels, truths)
    assert {name: (g.n, g.right) for name, g in peaks.items() if g.n} == {
        "1.75-2.25": (1, 1),
        "2.25-3": (1, 0),
        "20+": (1, 1),
    }
    assert peaks["1.75-2.25"].interval == wilson_interval(1, 1)


def test_all_figures_are_plain_json() -> None:
    scores, labels = drawn(200)
    truths = [streak("short", 20.0, 3.0) if y else streak("blank", None, None) for y in labels]
    data = LabelledImages(np.zeros((0, 144, 144, 1), np.uint8), labels, truths)
    found = all_figures(scores, data, classifier="rb", threshold=0.5, seed=1)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["auc_interval"][0] < found["auc"] < found["auc_interval"][1]
    assert found["by_kind"]["short"]["n"] == int(labels.sum())
    assert found["by_length"]["20-30"]["right"] == found["confusion_matrix"][1][1]
    assert found["by_peak"]["0-1.75"] == {
        "n": 0,
        "called_1": 0,
        "right": 0,
        "share_right": None,
        "interval": [0, 1],
    }
    curve = found["ones_by_threshold"]
    assert (curve[0], curve[50]) == (int(labels.sum()), found["confusion_matrix"][1][1])
    assert curve == sorted(curve, reverse=True)
    strict = found["thresholds"]["tnr"][2]
    assert strict["wanted"] == found["completeness"]["at_tnr"] == 0.99
    assert confusion(scores, labels, threshold=strict["threshold"]).tnr >= 0.99


@pytest.mark.parametrize(
    ("scores", "labels", "said"),
    [
        ([0.1, 0.2], [0], r"\(2,\) and labels \(1,\)"),
        ([0.1, nan], [0, 1], "1 of 2 scores are not finite"),
        ([0.1, 0.2], [1, 1], "2 ones and 0 zeros"),
        ([0.1, 0.2], [0, 2], "expected 0 and 1"),
        ([], [], "0 ones and 0 zeros"),
    ],
)
def test_scores_that_can_t_be_judged_are_refused(scores: list[float], labels: list[int], said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        checked(np.array(scores), np.array(labels, np.uint8))
