"""How unlike the cutouts that the shipped networks were trained on a picture is, as a network sees it.

A distance between a few global statistics, in units of their spread over training cutouts (Mahalanobis 1936,
Proc. Natl. Inst. Sci. India 2, 49), and the share of training cutouts that are nearer to their middle.
`python -m cutouts.likeness` measures the training cutouts again.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cutouts.recipes import RECIPES, Pixels

Vector = NDArray[np.float64]

STATISTICS = ("sky", "noise", "correlation along rows", "along columns", "black", "white", "flat", "clumps")
UNLIKE = 0.99
"""A picture is unlike when this share of training cutouts is nearer, so one in a hundred of those is, too."""

_MEASURED = Path(__file__).with_suffix(".json")
_PRESET, _COUNT, _SEED = "rb-balanced", 6000, 71
_SHARES = (*(n / 100 for n in range(100)), 0.995, 0.999, 1.0)
_BLACK = 102  # five sigmas of the sky, and more
_BLOCK_PX = 12


@dataclass(frozen=True)
class Likeness:
    """How far a picture is from the middle of the training cutouts.

    Parameters
    ----------
    distance : in standard deviations, of all statistics together; 2 to 4 for most training cutouts.
    nearer : the share of training cutouts that are nearer, 0 to 1.
    unlike : whether that is over `UNLIKE`.
    deviations : of each statistic by itself, in its standard deviations, the largest first.
    """

    distance: float
    nearer: float
    unlike: bool
    deviations: dict[str, float]


@dataclass(frozen=True)
class _Training:
    """Mean, spread and inverse covariance of the statistics, and quantiles of the distance at `_SHARES`."""

    mean: Vector
    spread: Vector
    inverse: Vector
    distances: Vector

    def distance(self, found: Vector) -> Vector:
        """Of (n, 8) statistics, (n,)."""
        off = found - self.mean
        return np.asarray(np.sqrt(np.einsum("ni,ij,nj->n", off, self.inverse, off)), np.float64)


def likeness(pixels: Pixels) -> Likeness:
    """Compare a picture, (144, 144, 1) uint8 as a recipe makes it, with training cutouts."""
    training = _training()
    found = statistics(pixels)
    distance = float(training.distance(found[np.newaxis])[0])
    nearer = float(np.interp(distance, training.distances, _SHARES))
    sigmas = dict(zip(STATISTICS, ((found - training.mean) / training.spread).tolist(), strict=True))
    ranked = sorted(sigmas.items(), key=lambda item: -abs(item[1]))
    return Likeness(distance, nearer, nearer > UNLIKE, dict(ranked))


def statistics(pixels: Pixels) -> Vector:
    """(8,) in the order of `STATISTICS`; none of them tells where anything is.

    The median grey; half the distance of the 16th and 84th percentile; the correlations of neighbours, from
    the noise of their differences; the roots of the shares of pixels that are black (five sigmas), white, and
    flat (the same as the next in both directions); the logarithm of the spread of the medians of blocks.
    """
    grey = pixels[..., 0].astype(np.float64)
    low, sky, high = np.percentile(grey, [16, 50, 84])
    noise = max((high - low) / 2, 0.5)
    same = (grey[:-1, :-1] == grey[1:, :-1]) & (grey[:-1, :-1] == grey[:-1, 1:])
    count = grey.shape[0] // _BLOCK_PX
    blocks = grey.reshape(count, _BLOCK_PX, count, _BLOCK_PX).swapaxes(1, 2).reshape(count**2, -1)
    return np.array(
        [
            sky,
            noise,
            _correlation(np.diff(grey, axis=1), noise),
            _correlation(np.diff(grey, axis=0), noise),
            np.sqrt((grey <= _BLACK).mean()),
            np.sqrt((grey == 255).mean()),
            np.sqrt(same.mean()),
            np.log1p(np.median(blocks, axis=1).std()),
        ]
    )


def _correlation(differences: Vector, noise: float) -> float:
    low, high = np.percentile(differences, [16, 84])
    return float(1 - ((high - low) / 2 / noise) ** 2 / 2)


@cache
def _training() -> _Training:
    found = json.loads(_MEASURED.read_text("utf-8"))
    return _Training(
        *(np.array(found[key], np.float64) for key in ("mean", "spread", "inverse", "distances"))
    )


def _measure_again() -> None:
    from PIL import Image

    from cutouts.simulator import simulate

    recipe = RECIPES["deepstreaks-1"]
    found = np.array(
        [
            statistics(recipe(Image.fromarray(cutout.image)))
            for cutout in simulate(_PRESET, count=_COUNT, seed=_SEED)
        ]
    )
    training = _Training(found.mean(0), found.std(0), np.linalg.inv(np.cov(found.T)), np.empty(0))
    measured = {
        "preset": _PRESET,
        "count": _COUNT,
        "seed": _SEED,
        "mean": training.mean,
        "spread": training.spread,
        "inverse": training.inverse,
        "distances": np.quantile(training.distance(found), _SHARES),
    }
    rounded = {key: _rounded(value) for key, value in measured.items()}
    _MEASURED.write_text(json.dumps(rounded, indent=None) + "\n", encoding="utf-8")


def _rounded(value: object) -> object:
    if not isinstance(value, np.ndarray):
        return value
    return json.loads(json.dumps(value.tolist()), parse_float=lambda text: float(f"{float(text):.6g}"))


if __name__ == "__main__":
    _measure_again()
