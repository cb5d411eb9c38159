"""What is no difference cutout is told from what networks were trained on, by a measured distance."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cutouts.decode import decode
from cutouts.likeness import STATISTICS, likeness
from cutouts.recipes import RECIPES, Pixels
from cutouts.simulator import simulate
from tests.images import png

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "real-cutouts"


def seen(image: Image.Image) -> Pixels:
    return RECIPES["deepstreaks-1"](image)


def fresh(preset: str, count: int) -> list[Pixels]:
    return [seen(Image.fromarray(cutout.image)) for cutout in simulate(preset, count=count, seed=404)]


def photo(seed: int) -> NDArray[np.uint8]:
    """Grey with the spectrum of natural pictures, amplitude as one over frequency."""
    rng = np.random.default_rng(seed)
    y, x = np.meshgrid(np.fft.fftfreq(144), np.fft.fftfreq(144), indexing="ij")
    spectrum = np.fft.fft2(rng.standard_normal((144, 144))) / np.maximum(np.hypot(x, y), 1 / 144)
    plane = np.real(np.fft.ifft2(spectrum))
    grey: NDArray[np.uint8] = np.clip(128 + 50 * plane / plane.std(), 0, 255).astype(np.uint8)
    return grey[..., np.newaxis]


def test_fresh_simulated_cutouts_are_like_the_training() -> None:
    found = [likeness(pixels) for preset in ("rb-2018.9", "night") for pixels in fresh(preset, 150)]
    assert np.mean([one.unlike for one in found]) <= 0.03
    assert (
        0.3 < np.mean([one.nearer for one in found]) < 0.7
    )  # a share of the training that means what it says


def test_inverted_pictures_noise_and_photos_are_unlike() -> None:
    rng = np.random.default_rng(1)
    strange = [
        *(np.uint8(255) - pixels for pixels in fresh("rb-2018.9", 40)),
        rng.integers(0, 256, (144, 144, 1), dtype=np.uint8),
        np.clip(rng.normal(128, 20, (144, 144, 1)), 0, 255).astype(np.uint8),
        *map(photo, range(5)),
        *(seen(Image.open(path).convert("L")) for path in sorted((ROOT / "docs").glob("site-*.png"))),
    ]
    assert all(likeness(pixels).unlike for pixels in strange)


def test_the_statistic_that_is_most_off_is_named_first() -> None:
    found = likeness(
        np.clip(np.random.default_rng(2).normal(128, 20, (144, 144, 1)), 0, 255).astype(np.uint8)
    )
    assert next(iter(found.deviations)) == "sky"
    assert set(found.deviations) == set(STATISTICS)


def test_real_cutouts_are_like_the_training() -> None:
    files = sorted(REAL.glob("*.*g"))
    if not files:
        pytest.skip("the real cutouts are not in ../shared/real-cutouts")
    assert not [path.name for path in files if likeness(decode(path.read_bytes())).unlike]


def test_any_picture_that_can_be_decoded_has_a_finite_distance() -> None:
    half = np.full((60, 60), 204, np.uint8)
    half[:3] = 0
    found = likeness(decode(png(half)))
    assert np.isfinite(found.distance)
    assert found.unlike
