"""All figures of one model version on one data set."""

import hashlib
import shlex
from collections.abc import Callable, Iterable
from math import isfinite
from pathlib import Path
from typing import Any

from core.completeness import FIGURE, STEPS
from core.errors import InvalidRequest
from core.model_card import ModelCard
from cutouts.simulator import PRESETS, STREAK_KINDS
from models.evaluation.against import changes
from models.evaluation.bootstrap import bootstrap
from models.evaluation.calibration import Calibration, calibration
from models.evaluation.curves import precision_recall_curve, threshold_for_tnr, threshold_for_tpr
from models.evaluation.datasets import dataset_images
from models.evaluation.delta_plots import write_delta_plots
from models.evaluation.figures import Labels, Scores, at_prevalence, checked, confusion, figures
from models.evaluation.groups import Group, by_kind, by_length, by_peak, lengths_px
from models.evaluation.plots import write_plots
from models.evaluation.scoring import score_images
from models.training.labelled_images import LabelledImages

WANTED_TPR = (0.95, 0.98, 0.99, 0.995)
WANTED_TNR = (0.95, 0.98, 0.99, 0.995, 0.999)
COMPLETENESS_TNR = 0.99
COMPLETENESS_LENGTH_PX = 20.0
"""Completeness is told at this TNR, for streaks of at least this length."""


def evaluate_bundle(
    model: str,
    dataset: str,
    *,
    seed: int,
    count: int | None = None,
    record: bool = False,
    plots: Path | None = None,
    against: str | None = None,
    on_part: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Figures of a bundle's weights, as they are stored, on a freshly simulated preset or on a folder.

    `model` is a shipped version, as rb@1, or a folder. With `record` the figures go to its card too, under
    the preset's name, with the command that repeats them. With `plots` the curves go to that folder as SVG.
    The seed draws the cutouts and the bootstrap. With `against`, another version of the same classifier,
    the answer has what `changes` tells of the two. `on_part` is called every few seconds while images are
    drawn and scored, and may raise to end it. Raises InvalidRequest as `dataset_images` does, for
    `record` with a folder, for a version of another classifier, and when the plots can't be written;
    Misconfigured for a broken bundle.
    """
    from models.bundle import find_bundle, read_card, write_card

    if record and dataset not in PRESETS:
        raise InvalidRequest(
            f"can't record figures on {dataset!r}; expected a preset, which others can repeat"
        )
    folder = find_bundle(model)
    card = read_card(folder)
    other = None if against is None else read_card(find_bundle(against))
    if other is not None and other.classifier != card.classifier:
        raise InvalidRequest(f"{card.version} against {other.version}; expected two of one classifier")
    data = dataset_images(
        card.classifier, dataset, classes=card.classes, count=count, seed=seed, on_part=on_part
    )
    scores = _scores(folder, card, data, on_part)
    asked = [] if count is None else ["--count", str(count)]
    asked += [] if against is None else ["--against", against]
    words = ["python", "-m", "models", "evaluate", model, dataset, "--seed", str(seed), *asked, "--json"]
    found = {
        "model": card.version,
        "dataset": dataset,
        "seed": seed,
        **figures_of_card(card, scores, data, seed=seed),
        "command": shlex.join(words),
    }
    if record:
        write_card(folder, card.model_copy(update={"metrics": {**card.metrics, dataset: found}}))
    before = None
    if against is not None and other is not None:
        before = _scores(find_bundle(against), other, data)
        thresholds = {"threshold_before": other.threshold, "threshold_after": card.threshold}
        found["against"] = {"model": other.version, **changes(before, scores, data, **thresholds)}
    if plots is None:
        return found
    title = f"{card.version} on {dataset if dataset in PRESETS else Path(dataset).name}"
    files = plots_of_card(card, scores, data, folder=plots, title=title, seed=seed)
    if before is not None and other is not None:
        files += write_delta_plots(
            plots,
            before,
            scores,
            data.labels,
            names=(other.version, card.version),
            classes=card.classes,
            thresholds=(other.threshold, card.threshold),
        )
    return {**found, "plots": [str(path) for path in files]}


def evaluate_images(
    folder: Path,
    data: LabelledImages,
    *,
    dataset: str,
    seed: int,
    plots: Path,
    on_part: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Figures of the bundle in a folder on images that are at hand, and its curves, as `evaluate_bundle`'s.

    The seed draws the bootstrap.
    """
    from models.bundle import read_card

    card = read_card(folder)
    scores = _scores(folder, card, data, on_part)
    found = {"model": card.version, "dataset": dataset, "seed": seed}
    files = plots_of_card(card, scores, data, folder=plots, title=f"{card.version} on {dataset}", seed=seed)
    return found | figures_of_card(card, scores, data, seed=seed) | {"plots": [str(path) for path in files]}


def figures_of_card(card: ModelCard, scores: Scores, data: LabelledImages, *, seed: int) -> dict[str, Any]:
    """`all_figures` at the card's threshold, and the fingerprint of the data."""
    told = all_figures(scores, data, classifier=card.classifier, threshold=card.threshold, seed=seed)
    return {"fingerprint": fingerprint(data), **told}


def plots_of_card(
    card: ModelCard, scores: Scores, data: LabelledImages, *, folder: Path, title: str, seed: int
) -> list[Path]:
    """Write the curves at the card's threshold."""
    return write_plots(
        folder,
        scores,
        data,
        title=title,
        classes=card.classes,
        threshold=card.threshold,
        strict_threshold=threshold_for_tnr(scores, data.labels, COMPLETENESS_TNR),
        seed=seed,
    )


def _scores(
    folder: Path, card: ModelCard, data: LabelledImages, on_part: Callable[[], None] = lambda: None
) -> Scores:
    """The scores of a bundle's network, which is held no longer than it takes."""
    from models.bundle import load_network, read_weights

    return score_images(load_network(card, read_weights(folder)), data.images, on_batch=on_part)


def fingerprint(data: LabelledImages) -> str:
    """The sha256 of images and labels: figures with the same one were measured on the same test set."""
    return hashlib.sha256(data.images.tobytes() + data.labels.tobytes()).hexdigest()


def all_figures(
    scores: Scores, data: LabelledImages, *, classifier: str, threshold: float, seed: int
) -> dict[str, Any]:
    """What `figures` gives, with intervals, calibration, thresholds, prevalence and groups; plain JSON.

    Shares and rates are rounded to 5 decimals, thresholds are not. Raises InvalidRequest as `checked` does.
    """
    values, truth = checked(scores, data.labels)
    positives = serving_prevalence(classifier)
    intervals = bootstrap(values, truth, threshold=threshold, seed=seed)
    called = values >= threshold
    rules = (by_kind, by_length, by_peak)
    groups = (rule(called, truth, data.truths) if data.truths else {} for rule in rules)
    kinds, lengths, peaks = (_groups_as_json(found.values()) for found in groups)
    return {
        **figures(scores, data, threshold=threshold),
        "average_precision": _rounded(precision_recall_curve(values, truth).average_precision),
        "auc_interval": _rounded(intervals.auc),
        "tpr_interval": _rounded(intervals.tpr),
        "tnr_interval": _rounded(intervals.tnr),
        "calibration": _calibration_as_json(calibration(values, truth)),
        "thresholds": {
            "tpr": [_operating_point(w, threshold_for_tpr, values, truth, positives) for w in WANTED_TPR],
            "tnr": [_operating_point(w, threshold_for_tnr, values, truth, positives) for w in WANTED_TNR],
        },
        FIGURE: [int((values[truth] >= step / STEPS).sum()) for step in range(STEPS + 1)],
        "at_prevalence": {
            "positives": _rounded(positives),
            **_rates_as_json(values, truth, threshold, positives),
        },
        "by_kind": kinds,
        "by_length": lengths,
        "by_peak": peaks,
        "completeness": _completeness(values, data) if data.truths else None,
    }


def serving_prevalence(classifier: str) -> float:
    """The share of ones among what a classifier sees of a night: of all cutouts, or of the streaks for sl.

    From the make-up of the preset `night`: 3 % streaks of any kind, 0.2 % asteroid-like.
    """
    night = PRESETS["night"]
    streaks = sum(night[kind] for kind in STREAK_KINDS)
    if classifier == "sl":
        return (streaks - night["long"]) / streaks
    return streaks / sum(night.values())


def _operating_point(
    wanted: float,
    rule: Callable[[Scores, Labels, float], float],
    scores: Scores,
    labels: Labels,
    positives: float,
) -> dict[str, Any]:
    threshold = rule(scores, labels, wanted)
    return {
        "wanted": wanted,
        "threshold": threshold if isfinite(threshold) else None,
        **_rates_as_json(scores, labels, threshold, positives),
    }


def _rates_as_json(scores: Scores, labels: Labels, threshold: float, positives: float) -> dict[str, Any]:
    """Rates at a threshold, and precision and the share called 1 at serving prevalence."""
    counts = confusion(scores, labels, threshold=threshold)
    precision, passed = at_prevalence(tpr=counts.tpr, tnr=counts.tnr, positives=positives)
    return {
        "tpr": _rounded(counts.tpr),
        "tnr": _rounded(counts.tnr),
        "precision": _rounded(precision),
        "passed": _rounded(passed),
    }


def _completeness(scores: Scores, data: LabelledImages) -> dict[str, Any]:
    """How many of the longer ones are found at a strict threshold, by peak."""
    threshold = threshold_for_tnr(scores, data.labels, COMPLETENESS_TNR)
    chosen = (data.labels == 1) & (lengths_px(data.truths) >= COMPLETENESS_LENGTH_PX)
    truths = [truth for truth, kept in zip(data.truths, chosen, strict=True) if kept]
    found = by_peak((scores >= threshold)[chosen], (data.labels == 1)[chosen], truths)
    return {
        "at_tnr": COMPLETENESS_TNR,
        "threshold": threshold if isfinite(threshold) else None,
        "length_px_from": COMPLETENESS_LENGTH_PX,
        "by_peak": _groups_as_json(found.values()),
    }


def _groups_as_json(groups: Iterable[Group]) -> dict[str, Any]:
    return {
        group.name: {
            "n": group.n,
            "called_1": group.called_1,
            "right": group.right,
            "share_right": _rounded(group.share_right),
            "interval": _rounded(group.interval),
        }
        for group in groups
    }


def _calibration_as_json(found: Calibration) -> dict[str, Any]:
    return {
        "expected_calibration_error": _rounded(found.expected_error),
        "brier": _rounded(found.brier),
        "bins": [
            {
                "low": _rounded(b.low),
                "high": _rounded(b.high),
                "n": b.n,
                "ones": b.ones,
                "mean_score": _rounded(b.mean_score),
                "share_of_1": _rounded(b.share_of_1),
                "interval": _rounded(b.interval),
            }
            for b in found.bins
        ],
    }


def _rounded(value: float | tuple[float, ...]) -> Any:
    """To 5 decimals; what is no number becomes null, which is what JSON has for it."""
    if isinstance(value, tuple):
        return [_rounded(part) for part in value]
    return round(value, 5) if isfinite(value) else None
