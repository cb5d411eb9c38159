"""How well a network separates its classes."""

from itertools import pairwise
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from models.bundle import find_bundle, load_network, read_card, read_weights, write_card
from models.training.preset_images import LabelledImages, preset_images

Scores = NDArray[np.float32]

PEAK_BINS = (0.0, 2.0, 3.0, 5.0, 10.0, 1000.0)


def evaluate_bundle(
    model: str, preset: str, *, seed: int, count: int | None = None, record: bool = False
) -> dict[str, Any]:
    """Figures of a bundle's weights, as they are stored, on a freshly simulated preset.

    `model` is a shipped version, as rb@1, or a folder. With `record` the figures go to its card too, under
    the preset's name, with the command that repeats them.
    """
    folder = find_bundle(model)
    card = read_card(folder)
    data = preset_images(card.classifier, preset, count=count, seed=seed)
    scores = score_images(load_network(card, read_weights(folder)), data.images)
    asked = "" if count is None else f" --count {count}"
    found = {
        "model": card.version,
        "dataset": preset,
        "seed": seed,
        **figures(scores, data, threshold=card.threshold),
        "command": f"python -m models evaluate {model} {preset} --seed {seed}{asked} --json",
    }
    if record:
        write_card(folder, card.model_copy(update={"metrics": {**card.metrics, preset: found}}))
    return found


def score_images(network: keras.Model, images: NDArray[np.uint8], *, batch_size: int = 64) -> Scores:
    """Scores, (n,) float32 in 0..1, of (n, 144, 144, 1) uint8 images."""
    parts = []
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        short = batch_size - len(batch)
        padded = np.pad(batch, ((0, short), (0, 0), (0, 0), (0, 0))).astype(np.float32) / np.float32(255)
        parts.append(np.asarray(network.predict_on_batch(padded), np.float32)[: len(batch), 0])
    return np.concatenate(parts)


def figures(scores: Scores, data: LabelledImages, *, threshold: float = 0.5) -> dict[str, Any]:
    """Confusion matrix, [[true 0 called 0, true 0 called 1], [true 1 called 0, true 1 called 1]], and rates.

    `by_kind` gives, for each simulated kind, how many there are and how many were called 1;
    `streaks_by_peak_sigma` the same for bins of the streaks' peak.
    """
    called = scores >= threshold
    truth = data.labels == 1
    matrix = [
        [int((~truth & ~called).sum()), int((~truth & called).sum())],
        [int((truth & ~called).sum()), int((truth & called).sum())],
    ]
    kinds = np.array([t.kind for t in data.truths])
    peaks = np.array([-1.0 if t.peak_sigma is None else t.peak_sigma for t in data.truths])

    def of(chosen: NDArray[np.bool_]) -> dict[str, int]:
        return {"n": int(chosen.sum()), "called_1": int((called & chosen).sum())}

    return {
        "n": len(scores),
        "threshold": threshold,
        "confusion_matrix": matrix,
        "auc": round(area_under_roc(scores, data.labels), 5),
        "tpr": round(matrix[1][1] / max(1, sum(matrix[1])), 5),
        "tnr": round(matrix[0][0] / max(1, sum(matrix[0])), 5),
        "by_kind": {str(kind): of(kinds == kind) for kind in sorted(set(kinds.tolist()))},
        "streaks_by_peak_sigma": {
            f"{low:g}-{high:g}": of((peaks >= low) & (peaks < high)) for low, high in pairwise(PEAK_BINS)
        },
    }


def area_under_roc(scores: Scores, labels: NDArray[np.uint8]) -> float:
    """The probability that a random 1 scores above a random 0, ties counting half."""
    values, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    rank = (last - (counts - 1) / 2)[inverse]
    ones = int((labels == 1).sum())
    zeros = len(labels) - ones
    if not ones or not zeros or not len(values):
        return float("nan")
    return float((rank[labels == 1].sum() - ones * (ones + 1) / 2) / (ones * zeros))
