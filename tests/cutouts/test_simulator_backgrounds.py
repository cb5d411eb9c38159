"""Streaks on somebody's own cutouts, and how simulated grey levels compare with real ones."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from core.errors import InvalidRequest
from cutouts.simulator import draw, read_backgrounds, simulate

REAL = Path(__file__).parents[2].parent / "shared" / "real-cutouts"


def write(folder: Path, name: str, grey: NDArray[np.uint8]) -> None:
    Image.fromarray(grey).save(folder / name)


def noise(seed: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    return np.clip(204 - 20.4 * rng.standard_normal((157, 157)), 0, 255).astype(np.uint8)


def test_a_blank_on_a_background_is_the_background(tmp_path: Path) -> None:
    grey = noise(1)
    write(tmp_path, "a.png", grey)
    own = read_backgrounds(tmp_path)
    drawn = draw("blank", 40, backgrounds=own).image.astype(int)
    turned = [np.rot90(g, n) for g in (grey, grey.T) for n in range(4)]
    seen = drawn.min(axis=2)
    assert seen.shape == (157, 157)
    unmarked = (drawn.max(axis=2) - drawn.min(axis=2)) == 0
    assert min(np.abs(seen - g)[unmarked].max() for g in turned) <= 1


def test_masks_of_a_background_stay_over_the_streak(tmp_path: Path) -> None:
    grey = noise(2)
    grey[20:36, 20:36] = 210
    write(tmp_path, "a.png", grey)
    own = read_backgrounds(tmp_path)
    assert np.isnan(own.planes[0][20:36, 20:36]).all()
    assert np.isnan(own.planes).sum() == 16 * 16


def test_streaks_are_injected_with_their_truth(tmp_path: Path) -> None:
    write(
        tmp_path,
        "a.png",
        np.full((157, 157), 204, np.uint8) + (np.indices((157, 157)).sum(0) % 2).astype(np.uint8),
    )
    own = read_backgrounds(tmp_path)
    for cutout in simulate("sl-2018.9", count=12, seed=3, backgrounds=own):
        assert cutout.truth.peak_sigma is not None
        darkest = int(cutout.image[:, :, 1].min())
        assert darkest <= 204 - 20.4 * 0.3 * min(cutout.truth.peak_sigma, 8)


def test_images_that_are_no_backgrounds_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="no JPEG or PNG"):
        read_backgrounds(tmp_path)
    write(tmp_path, "good.png", noise(3))
    write(tmp_path, "small.png", noise(3)[:63, :63])
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff no more")
    with pytest.raises(InvalidRequest, match=r"2 of 3 images .*broken.jpg .*small.png \(63 x 63\)"):
        read_backgrounds(tmp_path)


def statistics(image: Image.Image) -> dict[str, float]:
    """Of the grey levels outside masks, and the share that is masked."""
    grey = np.asarray(image.convert("L")).astype(float)
    window = np.lib.stride_tricks.sliding_window_view(np.pad(grey, 1, mode="edge"), (3, 3))
    flat = window.max(axis=(2, 3)) == window.min(axis=(2, 3))
    sky = grey[~flat]
    level = float(np.median(sky))
    offset = np.where(flat, 0, np.clip(grey - level, -60, 60))
    return {
        "level": level,
        "scatter": float(1.4826 * np.median(np.abs(sky - level))),
        "correlation": float((offset[:, 1:] * offset[:, :-1]).mean() / (offset**2).mean()),
        "dark": float((sky < 20).mean()),
        "white": float((sky > 250).mean()),
        "masked": float(flat.mean()),
    }


def test_real_grey_levels_lie_among_the_simulated_ones() -> None:
    """Of the nine cutouts that came as the survey wrote them; three are screen captures, softened."""
    files = sorted([*REAL.glob("strkid*.jpg"), *REAL.glob("short_streak*.png")])
    if not files:
        pytest.skip("the real cutouts are not in ../shared/real-cutouts")
    real = [statistics(Image.open(file)) for file in files]
    drawn = [statistics(Image.fromarray(c.image)) for c in simulate("rb-2018.9", count=300, seed=4)]
    slack = {"level": 0.5, "scatter": 0.8, "correlation": 0.03, "dark": 0.001, "white": 0.002, "masked": 0.0}
    for name, allowed in slack.items():
        simulated = np.array([found[name] for found in drawn])
        values = np.array([found[name] for found in real])
        assert values.min() >= simulated.min() - allowed, name
        assert values.max() <= simulated.max() + allowed, name
        low, high = np.quantile(simulated, [0.1, 0.9])
        assert low - allowed <= np.median(values) <= high + allowed, name
