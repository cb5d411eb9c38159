"""How much of a data set's truth may be told without looking at shapes.

A simulator whose classes differ in their global statistics would teach a network those.
"""

import io
import shlex
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import CutoutRejected, InvalidRequest
from cutouts.decode import decode
from cutouts.simulator import PRESETS, Truth, simulate
from models.evaluation.bootstrap import bootstrap
from models.evaluation.datasets import labelled_files, read_image
from models.evaluation.figures import area_under_roc
from models.evaluation.logistic import Matrix, fit_logistic
from models.training.preset_images import CLASSIFIERS

LIMITS = {"rb": 0.8}
"""What global statistics may reach. Nothing is promised of sl: a long streak covers more of the frame."""
GREY_BINS = 32
LEAST_SHARE = 1e-4  # two pixels, so that an empty bin has a logarithm
MASK_GREYS = (200, 228)
"""The flat masks of the survey are 204 to 224; JPEG moves them a little."""
MASK_STEP = 1  # grey levels between neighbours of a flat area, after JPEG at quality 100
RED_EXCESS = 60  # how far red is above green and blue in a mark, which JPEG blurs
HELD_OUT = 0.5

GREY_NAMES = tuple(f"grey {256 // GREY_BINS * i}-{256 // GREY_BINS * (i + 1) - 1}" for i in range(GREY_BINS))
GROUPS: dict[str, tuple[str, ...]] = {
    "grey histogram": GREY_NAMES,
    "masked fraction": ("masked fraction",),
    "red pixels": ("red pixels",),
    "size": ("height", "width"),
}
FEATURES = tuple(name for names in GROUPS.values() for name in names)


def examine(dataset: str, *, seed: int, count: int | None = None, classifier: str = "rb") -> dict[str, Any]:
    """How well logistic regression on global statistics tells a classifier's classes, on held-out cutouts.

    `dataset` is a preset or a folder that `simulate` wrote. Half of the cutouts fit, half are judged; the
    answer is plain JSON: the AUC with its interval, the limit, the AUC of each group of statistics alone,
    and the weights of the standardised features, weightiest first. Raises InvalidRequest as `labelled_files`
    does, and for fewer than two cutouts of a class in either half.
    """
    if classifier not in CLASSIFIERS:
        raise InvalidRequest(f"no known truth for {classifier!r}; expected one of {', '.join(CLASSIFIERS)}")
    rows, labels = [], []
    for image, truth in _pictures(dataset, count=count, seed=seed):
        label = truth.rb if classifier == "rb" else truth.sl
        if label is not None:
            rows.append(statistics(image))
            labels.append(label == 1)
    features, is_one = np.array(rows).reshape(-1, len(FEATURES)), np.array(labels, np.bool_)
    fitted, judged = _halves(is_one, seed)
    if min((is_one[half] == side).sum() for half in (fitted, judged) for side in (False, True)) < 2:
        raise InvalidRequest(
            f"{dataset} has {int(is_one.sum())} ones and {int((~is_one).sum())} zeros of {classifier}; "
            "expected at least 4 of each"
        )

    def judge(columns: NDArray[np.intp]) -> tuple[Matrix, Matrix]:
        model = fit_logistic(features[fitted][:, columns], is_one[fitted])
        return model.logits(features[judged][:, columns]), model.weights

    logits, weights = judge(np.arange(len(FEATURES)))
    auc = area_under_roc(logits, is_one[judged])
    limit = LIMITS.get(classifier)
    asked = [] if count is None else ["--count", str(count)]
    words = ["python", "-m", "models", "examine", dataset, "--seed", str(seed), *asked]
    return {
        "dataset": dataset,
        "classifier": classifier,
        "seed": seed,
        "n": len(labels),
        "held_out": len(judged),
        "auc": round(auc, 5),
        "auc_interval": [
            round(end, 5) for end in bootstrap(logits, is_one[judged], threshold=0, seed=seed).auc
        ],
        "limit": limit,
        "below_limit": None if limit is None else auc < limit,
        "auc_of_group": {
            group: round(area_under_roc(judge(_columns(names))[0], is_one[judged]), 5)
            for group, names in GROUPS.items()
        },
        "features": [
            {"name": FEATURES[i], "weight": round(float(weights[i]), 4)} for i in np.argsort(-np.abs(weights))
        ],
        "command": shlex.join([*words, "--classifier", classifier, "--json"]),
    }


def statistics(image: NDArray[np.uint8]) -> Matrix:
    """Global statistics of an (h, w, 3) uint8 RGB image, in the order of FEATURES.

    Logarithms of the shares of pixels in each grey bin, the roots of the masked share (flat where sky would
    be noise) and of the count of red pixels, and height and width in px. None of them tells where anything
    is. Logarithm and root make a harder examination: counts as they are tell a linear rule less.
    """
    grey = np.asarray(Image.fromarray(image).convert("L"), np.int16)
    histogram = np.bincount(grey.ravel() // (256 // GREY_BINS), minlength=GREY_BINS) / grey.size
    flat = np.zeros(grey.shape, np.bool_)
    flat[:-1, :-1] = (np.abs(np.diff(grey, axis=1))[:-1] <= MASK_STEP) & (
        np.abs(np.diff(grey, axis=0))[:, :-1] <= MASK_STEP
    )
    flat &= (grey >= MASK_GREYS[0]) & (grey <= MASK_GREYS[1])
    red, green, blue = np.moveaxis(image.astype(np.int16), 2, 0)
    reds = int((red - np.maximum(green, blue) > RED_EXCESS).sum())
    return np.array(
        [*np.log(histogram + LEAST_SHARE), np.sqrt(flat.mean()), np.sqrt(reds), *grey.shape], np.float64
    )


def _pictures(dataset: str, *, count: int | None, seed: int) -> Iterator[tuple[NDArray[np.uint8], Truth]]:
    if dataset in PRESETS:
        for cutout in simulate(dataset, count=count, seed=seed):
            yield cutout.image, cutout.truth
        return
    for path, truth in labelled_files(dataset, count=count, seed=seed):
        data = read_image(path)
        try:
            decode(data)
        except CutoutRejected as error:
            raise InvalidRequest(f"{path} can't be decoded: {error}; expected a whole cutout") from error
        with Image.open(io.BytesIO(data)) as image:
            yield np.asarray(image.convert("RGB"), np.uint8), truth


def _halves(labels: NDArray[np.bool_], seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices to fit and to judge, each class split alike."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 3]))
    judged = []
    for side in (labels, ~labels):
        members = rng.permutation(np.flatnonzero(side))
        judged.append(members[: round(len(members) * HELD_OUT)])
    chosen = np.sort(np.concatenate(judged))
    return np.setdiff1d(np.arange(len(labels)), chosen), chosen


def _columns(names: tuple[str, ...]) -> NDArray[np.intp]:
    return np.array([FEATURES.index(name) for name in names], np.intp)
