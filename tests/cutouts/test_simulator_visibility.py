"""Which streaks show among what is drawn with them."""

import numpy as np
import pytest

from cutouts.simulator.masks import mask_rectangle
from cutouts.simulator.residuals import draw_point, draw_residual
from cutouts.simulator.scene import CENTRE_PX, SIZE_PX, Scene
from cutouts.simulator.sky import sky
from cutouts.simulator.trail import Trail, draw_trail, signal_to_noise
from cutouts.simulator.visibility import FAINTEST, can_be_seen

LENGTH_PX = 12.0


def streak(peak_sigma: float, seed: int = 0) -> tuple[Scene, Trail]:
    rng = np.random.default_rng(seed)
    scene = Scene(sky(rng), rng, 2.3)
    trail = Trail(
        x=CENTRE_PX, y=CENTRE_PX, length_px=LENGTH_PX, angle_deg=0, peak_sigma=peak_sigma, sigma_px=1.0
    )
    draw_trail(scene, trail)
    return scene, trail


def faintest() -> float:
    """The peak of a streak of the tests' length that is as faint as the pipeline finds any."""
    return FAINTEST / signal_to_noise(LENGTH_PX, 1.0, 1.0)


@pytest.mark.parametrize("seed", range(20))
def test_the_faintest_streak_shows_on_empty_sky(seed: int) -> None:
    assert can_be_seen(*streak(faintest(), seed))


def test_a_streak_below_the_faintest_does_not_show() -> None:
    assert not can_be_seen(*streak(0.8 * faintest()))


@pytest.mark.parametrize("seed", range(20))
def test_a_faint_streak_does_not_show_under_a_bright_star(seed: int) -> None:
    scene, trail = streak(faintest(), seed)
    draw_residual(scene, CENTRE_PX, CENTRE_PX, strength=60, shift_deg=1.0, shift_px=1.0)
    assert not can_be_seen(scene, trail)


@pytest.mark.parametrize("seed", range(20))
def test_a_star_elsewhere_hides_nothing(seed: int) -> None:
    scene, trail = streak(faintest(), seed)
    draw_residual(scene, CENTRE_PX, CENTRE_PX + 25, strength=200, shift_deg=1.0, shift_px=1.0)
    assert can_be_seen(scene, trail)


def test_a_streak_that_outshines_a_faint_star_shows() -> None:
    scene, trail = streak(30.0)
    draw_point(scene, CENTRE_PX, CENTRE_PX, peak_sigma=10, sigma_px=1.0)
    assert can_be_seen(scene, trail)


def test_a_streak_that_is_masked_for_the_most_part_does_not_show() -> None:
    scene, trail = streak(30.0)
    mask_rectangle(scene, CENTRE_PX - LENGTH_PX / 2, CENTRE_PX, 9, 9)
    assert can_be_seen(scene, trail)
    mask_rectangle(scene, CENTRE_PX, CENTRE_PX, 9, 9)
    assert not can_be_seen(scene, trail)


def test_a_scene_knows_the_streak_s_light_under_masks() -> None:
    scene, _ = streak(30.0)
    light = scene.streak.copy()
    mask_rectangle(scene, CENTRE_PX, CENTRE_PX, SIZE_PX, SIZE_PX)
    assert np.array_equal(scene.streak, light)
    assert light.max() == pytest.approx(30, rel=0.02)
