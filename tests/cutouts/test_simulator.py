"""The simulator: seeds, kinds, marks and grey levels."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import InvalidRequest
from cutouts.simulator import BOGUS_KINDS, PRESETS, STREAK_KINDS, draw, seeds_of, simulate
from cutouts.simulator.marks import RED
from cutouts.simulator.presets import kinds_of
from cutouts.simulator.sky import sky
from cutouts.simulator.truth import Kind
from cutouts.stretch import to_grey

KINDS = (*STREAK_KINDS, *BOGUS_KINDS)


def marked(image: NDArray[np.uint8]) -> int:
    return int((image == np.array(RED, np.uint8)).all(axis=2).sum())


def test_the_same_seed_gives_the_same_bytes() -> None:
    first = [c.image.tobytes() for c in simulate("rb-2018.9", count=12, seed=4)]
    again = [c.image.tobytes() for c in simulate("rb-2018.9", count=12, seed=4)]
    other = [c.image.tobytes() for c in simulate("rb-2018.9", count=12, seed=5)]
    assert first == again
    assert not set(first) & set(other)


def test_a_cutout_can_be_drawn_again_from_its_truth() -> None:
    for cutout in simulate("sample", count=20, seed=1):
        again = draw(cutout.truth.kind, cutout.truth.seed, name=cutout.truth.name)
        assert again.truth == cutout.truth
        assert np.array_equal(again.image, cutout.image)


def test_known_bytes_of_one_seed() -> None:
    """What a seed draws may not change unnoticed: data sets are told by preset and seed."""
    assert seeds_of("sample", count=240, seed=7)[:2] == [
        ("short", 253502224283800),
        ("long", 133147501015603),
    ]
    assert draw("short", 253502224283800).truth.length_px == 37.4


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_its_truth(kind: Kind) -> None:
    for seed in range(20):
        cutout = draw(kind, seed)
        truth, image = cutout.truth, cutout.image
        assert image.dtype == np.uint8
        assert image.ndim == 3
        assert image.shape[2] == 3
        assert max(image.shape[:2]) == 157
        assert min(image.shape[:2]) >= 105
        assert truth.kind == kind
        assert truth.rb == int(kind in STREAK_KINDS)
        if kind in BOGUS_KINDS:
            assert (truth.sl, truth.length_px, truth.angle_deg, truth.peak_sigma) == (None,) * 4
        else:
            assert truth.sl == int(kind != "long")
            assert truth.length_px is not None
            assert truth.length_px > 157 if kind == "long" else 5 <= truth.length_px <= 110


@pytest.mark.parametrize("kind", KINDS)
def test_end_marks_are_on_some_of_every_kind_and_not_on_all(kind: Kind) -> None:
    share = np.mean([marked(draw(kind, seed).image) > 0 for seed in range(60)])
    assert 0.4 < share < 0.8


def test_end_marks_tell_nothing_of_the_class() -> None:
    shares = [
        np.mean([marked(draw(kind, seed).image) == 2 for kind in kinds for seed in range(1000, 1060)])
        for kinds in (STREAK_KINDS, BOGUS_KINDS)
    ]
    assert abs(shares[0] - shares[1]) < 0.12


def test_sky_is_204_and_one_sigma_20() -> None:
    skies = np.stack([to_grey(sky(np.random.default_rng(n)), 204) for n in range(40)]).astype(float)
    assert abs(np.median(skies) - 204) <= 1
    deviation = 1.4826 * np.median(np.abs(skies - 204), axis=(1, 2))
    assert 19 < np.median(deviation) < 22
    assert np.ptp(deviation) > 1


def test_blank_cutouts_have_the_survey_s_sky() -> None:
    greys = [draw("blank", seed).image[:, :, 1] for seed in range(40)]
    assert abs(np.median([np.median(g) for g in greys]) - 204) <= 1
    assert 19 < np.median([1.4826 * np.median(np.abs(g - 204.0)) for g in greys]) < 22


def test_noise_is_white_to_correlated_by_a_third() -> None:
    def lag_1(z: NDArray[np.float32]) -> float:
        z = z - z.mean()
        return float((z[:, 1:] * z[:, :-1]).mean() / (z * z).mean())

    lags = [lag_1(sky(np.random.default_rng(n))) for n in range(60)]
    assert min(lags) > -0.03
    assert max(lags) < 0.35
    assert np.median(lags) < 0.2


def test_grey_follows_the_survey_s_stretch() -> None:
    z = np.array([[0, 1, -2.5, 10, 50, -9, np.nan]], np.float32)
    assert to_grey(z, 210).tolist() == [[204, 184, 255, 0, 0, 255, 210]]


def test_presets_have_the_published_make_up() -> None:
    def counts(preset: str, count: int | None = None) -> dict[Kind, int]:
        kinds = kinds_of(preset, count=count, seed=0)
        return {kind: kinds.count(kind) for kind in KINDS}

    rb = counts("rb-2018.9")
    assert (rb["long"], rb["short"], rb["short_hard"]) == (905, 8270, 669)
    assert sum(rb[kind] for kind in BOGUS_KINDS) == 5000
    assert (
        rb["masked_star"] > rb["blank"] >= rb["yin_yang"] > rb["ghost"] > rb["flash"] > rb["cosmic_ray"] > 0
    )
    sl = counts("sl-2018.9")
    assert (sl["long"], sl["short"], sl["short_hard"]) == (905, 905, 669)
    night = counts("night")
    assert sum(night[kind] for kind in STREAK_KINDS) == pytest.approx(0.03 * sum(night.values()), rel=0.02)
    assert night["short"] + night["short_hard"] == pytest.approx(0.002 * sum(night.values()), rel=0.02)


@pytest.mark.parametrize(("preset", "count"), list(itertools.product(PRESETS, (1, 7, 1000))))
def test_a_preset_scales_to_any_count(preset: str, count: int) -> None:
    assert len(kinds_of(preset, count=count, seed=3)) == count


def test_every_kind_is_in_a_sample() -> None:
    assert set(kinds_of("sample", count=200, seed=1)) == set(KINDS)


@pytest.mark.parametrize(("preset", "count"), [("nonsense", 5), ("night", 0), ("night", -3)])
def test_a_wrong_request_is_refused(preset: str, count: int) -> None:
    with pytest.raises(InvalidRequest, match="expected"):
        next(simulate(preset, count=count, seed=1))


def test_a_streak_raises_its_pixels_by_its_peak() -> None:
    """Known answer: the darkest ridge of a bright, even streak is where its truth says."""
    from cutouts.simulator.scene import CENTRE_PX, Scene
    from cutouts.simulator.trail import Trail, draw_trail

    scene = Scene(np.zeros((157, 157), np.float32), np.random.default_rng(0), 2.4)
    draw_trail(scene, Trail(x=CENTRE_PX, y=CENTRE_PX, length_px=40, angle_deg=0, peak_sigma=8, sigma_px=1))
    assert scene.z.max() == pytest.approx(8, abs=0.01)
    assert scene.z[78, 58:99].min() == pytest.approx(4, abs=0.3)
    assert scene.z[78, 40] == pytest.approx(0, abs=1e-3)
    assert scene.z.sum() == pytest.approx(8 * 40 * np.sqrt(2 * np.pi), rel=0.01)


@pytest.mark.parametrize("angle_deg", [0, 30, 90, 135])
def test_a_trail_s_light_does_not_depend_on_its_angle(angle_deg: float) -> None:
    from cutouts.simulator.scene import CENTRE_PX, Scene
    from cutouts.simulator.trail import Trail, draw_trail

    scene = Scene(np.zeros((157, 157), np.float32), np.random.default_rng(0), 2.4)
    draw_trail(
        scene, Trail(x=CENTRE_PX, y=CENTRE_PX, length_px=50, angle_deg=angle_deg, peak_sigma=5, sigma_px=1.2)
    )
    assert scene.z.sum() == pytest.approx(5 * 50 * 1.2 * np.sqrt(2 * np.pi), rel=0.01)


def test_a_mask_stays_a_mask_whatever_is_drawn_on_it() -> None:
    from cutouts.simulator.masks import mask_rectangle
    from cutouts.simulator.residuals import draw_point
    from cutouts.simulator.scene import Scene

    scene = Scene(np.zeros((157, 157), np.float32), np.random.default_rng(0), 2.4)
    mask_rectangle(scene, 50, 50, 16, 16)
    draw_point(scene, 50, 50, peak_sigma=50, sigma_px=2)
    assert int(np.isnan(scene.z).sum()) == 256


def test_some_cutouts_are_truncated() -> None:
    shapes = {draw("short", seed).image.shape[:2] for seed in range(300)}
    assert len(shapes) > 3
    assert (157, 157) in shapes


def test_truncation_leaves_both_ends_of_a_short_streak() -> None:
    from cutouts.simulator.drawing import _truncate

    image = np.zeros((157, 157, 3), np.uint8)
    image[40, 60] = image[110, 30] = 255
    for seed in range(50):
        cut = _truncate(np.random.default_rng(seed), image, (60, 40, 30, 110))
        assert int(cut.sum()) == 2 * 3 * 255
