"""Pictures of what a version changes against another one, as SVG: scores against scores, and the deltas."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.svg import BLUE, GREY, ORANGE, Area, Axis, Chart, Dots, Line, Mark, render
from models.evaluation.against import flips
from models.evaluation.figures import Labels, Scores
from models.evaluation.picture_files import write_pictures

DELTA_BINS = 41  # odd, so that one bin holds what did not move
MOST_DOTS = 3000
"""Of each class, evenly taken; flipped decisions are drawn all."""


def write_delta_plots(
    folder: Path,
    before: Scores,
    after: Scores,
    labels: Labels,
    *,
    names: tuple[str, str],
    classes: tuple[str, str] = ("0", "1"),
    thresholds: tuple[float, float] = (0.5, 0.5),
) -> list[Path]:
    """Write both pictures of scores, (n,) each, and return the files.

    `names` and `thresholds` are of the version before and of the one after. Raises InvalidRequest when the
    folder can't be written.
    """
    pictures = {
        "delta_scores": score_scatter(
            before, after, labels, names=names, classes=classes, thresholds=thresholds
        ),
        "delta_histogram": delta_histogram(before, after, labels, names=names, classes=classes),
    }
    return write_pictures(folder, pictures)


def score_scatter(
    before: Scores,
    after: Scores,
    labels: Labels,
    *,
    names: tuple[str, str],
    classes: tuple[str, str] = ("0", "1"),
    thresholds: tuple[float, float] = (0.5, 0.5),
) -> str:
    """Each cutout's score by one version against that by the other, both thresholds, in two colours."""
    old, new = np.asarray(before, np.float64), np.asarray(after, np.float64)
    truth = np.asarray(labels) == 1
    to_1, to_0 = flips(old, new, *thresholds)
    flipped = to_1 | to_0
    x, y = (Axis(f"score by {name}", 0, 1) for name in names)
    series: list[Mark] = [
        Line("no change", [(0, 0), (1, 1)], GREY, faint=True),
        Line("", [(thresholds[0], 0), (thresholds[0], 1)], GREY),
        Line("thresholds", [(0, thresholds[1]), (1, thresholds[1])], GREY),
    ]
    for side, colour in ((~truth, ORANGE), (truth, BLUE)):
        chosen = _thinned(side & ~flipped) | (side & flipped)
        points = list(zip(old[chosen].tolist(), new[chosen].tolist(), strict=True))
        series.append(Dots(f"true {classes[int(colour == BLUE)]}", points, colour, radius=1.8))
    lines = (
        f"{int(to_1.sum())} decisions from {classes[0]} to {classes[1]}, {int(to_0.sum())} the other way, "
        f"of {len(old)}",
    )
    return render(Chart(f"Scores by {names[1]} against {names[0]}", x, y, series, lines))


def delta_histogram(
    before: Scores,
    after: Scores,
    labels: Labels,
    *,
    names: tuple[str, str],
    classes: tuple[str, str] = ("0", "1"),
) -> str:
    """How many cutouts of each class moved how far; counts in decades."""
    delta = np.asarray(after, np.float64) - np.asarray(before, np.float64)
    truth = np.asarray(labels) == 1
    edges = np.linspace(-1, 1, DELTA_BINS + 1)
    counts = [np.histogram(delta[side], edges)[0] for side in (~truth, truth)]
    most, low = max(int(count.max()) for count in counts), 0.5
    series: list[Mark] = [
        Area(
            f"true {name}",
            [(float(edges[i + end]), max(low, float(n))) for i, n in enumerate(count) for end in (0, 1)],
            colour,
        )
        for name, count, colour in zip(classes, counts, (ORANGE, BLUE), strict=True)
    ]
    lines = (f"mean {delta.mean():+.4f}, mean absolute {np.abs(delta).mean():.4f}; {len(delta)} cutouts",)
    x, y = Axis("score after minus score before", -1, 1), Axis("cutouts per bin", low, 2.0 * most, log=True)
    return render(Chart(f"Deltas of {names[1]} against {names[0]}", x, y, series, lines))


def _thinned(chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Every so many of those chosen, at most MOST_DOTS."""
    places = np.flatnonzero(chosen)
    kept = np.zeros(len(chosen), np.bool_)
    kept[places[:: max(1, -(-len(places) // MOST_DOTS))]] = True
    return kept
