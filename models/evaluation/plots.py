"""Pictures of figures, as SVG: curves, calibration, scores, and completeness by peak and length."""

from collections.abc import Callable, Sequence
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.svg import BLUE, GREEN, GREY, ORANGE, Area, Axis, Band, Chart, Dots, Line, Mark, render
from cutouts.simulator import Truth
from models.evaluation.bootstrap import bootstrap, precision_band, roc_band
from models.evaluation.calibration import calibration
from models.evaluation.curves import precision_recall_curve, roc_curve
from models.evaluation.figures import Labels, Scores, area_under_roc, checked, confusion
from models.evaluation.groups import Group, by_length, by_peak
from models.evaluation.picture_files import write_pictures
from models.training.labelled_images import LabelledImages

SCORE_BINS = 40
BAND_POINTS = 120
_APART = 1.04  # the second of two dots at one place is moved by this factor

Series = list[Mark]
Rule = Callable[[NDArray[np.bool_], NDArray[np.bool_], Sequence[Truth]], dict[str, Group]]


def write_plots(
    folder: Path,
    scores: Scores,
    data: LabelledImages,
    *,
    title: str,
    classes: tuple[str, str] = ("0", "1"),
    threshold: float = 0.5,
    strict_threshold: float = float("inf"),
    seed: int = 0,
) -> list[Path]:
    """Write every picture of scores, (n,) in the order of the data, and return the files.

    Data without truths have no completeness. `strict_threshold` is drawn beside the threshold in it; infinite
    leaves it out. Raises InvalidRequest as `checked` does, or when the folder can't be written.
    """
    thresholds = [threshold, *([strict_threshold] if isfinite(strict_threshold) else [])]
    pictures = {
        "roc": roc(scores, data.labels, title=title, threshold=threshold, seed=seed),
        "roc_log": roc(scores, data.labels, title=title, threshold=threshold, seed=seed, log=True),
        "precision_recall": precision_recall(
            scores, data.labels, title=title, threshold=threshold, seed=seed
        ),
        "reliability": reliability(scores, data.labels, title=title, classes=classes),
        "scores": score_histogram(scores, data.labels, title=title, classes=classes, threshold=threshold),
    }
    if data.truths:
        pictures |= {
            "completeness_peak": completeness_by_peak(scores, data, title=title, thresholds=thresholds),
            "completeness_length": completeness_by_length(scores, data, title=title, thresholds=thresholds),
        }
    return write_pictures(folder, pictures)


def roc(
    scores: Scores, labels: Labels, *, title: str, threshold: float = 0.5, seed: int = 0, log: bool = False
) -> str:
    """The ROC curve with its interval and the decision's point; `log` spreads small rates over decades."""
    curve, counts = roc_curve(scores, labels), confusion(scores, labels, threshold=threshold)
    found = bootstrap(scores, labels, threshold=threshold, seed=seed)
    zeros = counts.tn + counts.fp
    low = 10.0 ** np.floor(np.log10(0.9 / zeros)) if log else 0.0
    diagonal = np.geomspace(low, 1, 60) if log else np.array([0.0, 1.0])
    grid = np.append(0.0, np.geomspace(0.5 / zeros, 1, BAND_POINTS))
    band = roc_band(scores, labels, grid, seed=seed)
    lines = (
        f"AUC {area_under_roc(scores, labels):.4f}, 95 % {_range(found.auc)}; "
        f"{counts.tp + counts.fn} ones, {zeros} zeros",
        f"at {threshold:.4g}: TPR {counts.tpr:.4f}, 95 % {_range(found.tpr)}; "
        f"TNR {counts.tnr:.4f}, 95 % {_range(found.tnr)}",
    )
    x = Axis(
        f"false positive rate (zeros called 1{'; left edge: none' if log else ''})", float(low), 1, log=log
    )
    series: Series = [
        Line("chance", [(float(v), float(v)) for v in diagonal], GREY, faint=True),
        Band("95 % interval", _points(grid, band[0]), _points(grid, band[1]), BLUE),
        Line("ROC", _points(curve.fpr, curve.tpr), BLUE),
        Dots(f"decision at {threshold:.4g}", [(1 - counts.tnr, counts.tpr)], ORANGE),
    ]
    return render(
        Chart(f"ROC of {title}", x, Axis("true positive rate (ones called 1)", 0, 1), series, lines)
    )


def precision_recall(
    scores: Scores, labels: Labels, *, title: str, threshold: float = 0.5, seed: int = 0
) -> str:
    """The precision-recall curve with its interval, at the data set's own balance of classes."""
    curve, counts = precision_recall_curve(scores, labels), confusion(scores, labels, threshold=threshold)
    ones = counts.tp + counts.fn
    base = ones / (ones + counts.tn + counts.fp)
    lines = (
        f"average precision {curve.average_precision:.4f}; {100 * base:.1f} % of these cutouts are ones",
        f"at {threshold:.4g}: precision {counts.precision:.4f}, recall {counts.tpr:.4f}",
    )
    grid = np.linspace(max(float(curve.recall[0]), 1 / BAND_POINTS), 1, BAND_POINTS)
    band = precision_band(scores, labels, grid, seed=seed)
    decision = [] if np.isnan(counts.precision) else [(counts.tpr, counts.precision)]
    series: Series = [
        Line("chance", [(0, base), (1, base)], GREY, faint=True),
        Band("95 % interval", _points(grid, band[0]), _points(grid, band[1]), BLUE),
        Line("precision", _points(curve.recall, curve.precision), BLUE),
        Dots(f"decision at {threshold:.4g}", decision, ORANGE),
    ]
    x, y = Axis("recall (ones called 1)", 0, 1), Axis("precision (ones among those called 1)", 0, 1)
    return render(Chart(f"Precision and recall of {title}", x, y, series, lines))


def reliability(scores: Scores, labels: Labels, *, title: str, classes: tuple[str, str] = ("0", "1")) -> str:
    """Mean score against the share of ones in bins of the score, with Wilson's intervals."""
    found = calibration(scores, labels)
    bins = [b for b in found.bins if b.n]
    lines = (
        f"expected calibration error {found.expected_error:.4f}, Brier score {found.brier:.4f}",
        f"bins of {bins[0].high - bins[0].low:.1f}; bars are 95 % intervals (Wilson)",
    )
    series: Series = [
        Line("calibrated", [(0, 0), (1, 1)], GREY, faint=True),
        Line("", [(b.mean_score, b.share_of_1) for b in bins], BLUE, faint=True),
        Dots(
            "observed",
            [(b.mean_score, b.share_of_1) for b in bins],
            BLUE,
            [b.interval for b in bins],
            [f"{b.ones} of {b.n}" for b in bins],
        ),
    ]
    x, y = Axis("mean score", 0, 1), Axis(f"share of {classes[1]}", 0, 1)
    return render(Chart(f"Calibration of {title}", x, y, series, lines))


def score_histogram(
    scores: Scores,
    labels: Labels,
    *,
    title: str,
    classes: tuple[str, str] = ("0", "1"),
    threshold: float = 0.5,
) -> str:
    """How many cutouts of each class got which score; counts in decades."""
    values, truth = checked(scores, labels)
    edges = np.linspace(0, 1, SCORE_BINS + 1)
    counts = [np.histogram(values[chosen], edges)[0] for chosen in (~truth, truth)]
    most = max(int(c.max()) for c in counts)
    low = 0.5  # an empty bin lies on the axis, a single cutout above it
    outlines = [
        [(float(edges[i + end]), max(low, float(count))) for i, count in enumerate(c) for end in (0, 1)]
        for c in counts
    ]
    found = confusion(values, truth, threshold=threshold)
    lines = (
        f"{found.fp} of {found.tn + found.fp} {classes[0]} at {threshold:.4g} or above, "
        f"{found.fn} of {found.tp + found.fn} {classes[1]} below; bins of {1 / SCORE_BINS:g}",
    )
    series: Series = [
        Area(f"true {classes[0]}", outlines[0], ORANGE),
        Area(f"true {classes[1]}", outlines[1], BLUE),
        Line(f"threshold {threshold:.4g}", [(threshold, low), (threshold, 2.0 * most)], GREY, faint=True),
    ]
    y = Axis("cutouts per bin", low, 2.0 * most, log=True)
    return render(Chart(f"Scores of {title}", Axis("score", 0, 1), y, series, lines))


def completeness_by_peak(
    scores: Scores, data: LabelledImages, *, title: str, thresholds: Sequence[float] = (0.5,)
) -> str:
    """The share of streaks decided rightly against the peak of their ridge, in sigmas of the sky."""
    return _completeness(scores, data, by_peak, "peak of the streak (sigma of the sky)", title, thresholds)


def completeness_by_length(
    scores: Scores, data: LabelledImages, *, title: str, thresholds: Sequence[float] = (0.5,)
) -> str:
    """The share of streaks decided rightly against their length in px."""
    return _completeness(
        scores, data, by_length, "length of the streak (px of 1.01 arcsec)", title, thresholds
    )


def _completeness(
    scores: Scores, data: LabelledImages, rule: Rule, label: str, title: str, thresholds: Sequence[float]
) -> str:
    values, truth = checked(scores, data.labels)
    series: Series = []
    lines = []
    groups: list[Group] = []
    for n, (threshold, colour) in enumerate(zip(thresholds, (BLUE, GREEN, ORANGE), strict=False)):
        groups = [g for g in rule(values >= threshold, truth, data.truths).values() if g.n]
        points = [(g.middle * _APART**n, g.share_right) for g in groups]
        series.append(Line("", points, colour, faint=True))
        words = [f"{g.name}: {g.right} of {g.n}" for g in groups]
        tnr = confusion(values, truth, threshold=threshold).tnr
        series.append(
            Dots(f"at {threshold:.4g} (TNR {tnr:.3f})", points, colour, [g.interval for g in groups], words)
        )
        right, total = sum(g.right for g in groups), sum(g.n for g in groups)
        if total:
            lines.append(f"at {threshold:.4g}: {right} of {total} streaks right, {100 * right / total:.2f} %")
    if not groups:
        lines.append("no streaks with a known length and peak")
    worst = min((g.interval[0] for g in groups), default=0.0)
    floor_y = max(0.0, np.floor(worst * 10 - 0.5) / 10)
    middles = [g.middle for g in groups] or [1.0]
    x = Axis(label, min(middles) / 1.25, max(middles) * 1.25, log=True)
    y = Axis("share decided rightly", float(floor_y), 1)
    return render(Chart(f"Completeness of {title}", x, y, series, lines))


def _points(x: NDArray[np.float64], y: NDArray[np.float64]) -> list[tuple[float, float]]:
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _range(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.4f} to {interval[1]:.4f}"
