"""fits-1: any telescope's difference image becomes the cutout that the networks know."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from core.errors import CutoutRejected
from core.instrument import Instrument
from cutouts.decode import DecodeLimits, decode
from cutouts.fits_recipe import fits_1, stretched
from cutouts.instruments import ZTF
from cutouts.recipes import deepstreaks_1
from cutouts.simulator.sky import sky
from cutouts.stretch import to_grey
from tests.fits_files import Array, fits_file, noise, streak
from tests.instruments import COARSE, FINE, INVERTED


def reason(plane: Array, instrument: Instrument = ZTF) -> str:
    with pytest.raises(CutoutRejected) as caught:
        fits_1(plane, instrument)
    assert "expected" in caught.value.detail
    return caught.value.reason


def test_sky_is_204_and_one_sigma_is_20_grey_levels() -> None:
    grey = fits_1(noise(sigma=350.0, sky=-12_000.0))
    assert grey.shape == (157, 157)
    assert grey.dtype == np.uint8
    assert np.median(grey) == 204
    low, high = np.percentile(grey, [16, 84])
    assert (high - low) / 2 == pytest.approx(20.4, abs=0.6)


def test_it_is_the_stretch_of_the_simulator() -> None:
    z = sky(np.random.default_rng(5))
    middle, iqr = np.median(z), np.subtract(*np.percentile(z, [75, 25]))
    expected = to_grey(((z - middle) / (iqr / 1.349)).astype(np.float32), 204)
    assert np.abs(fits_1(z).astype(int) - expected).max() <= 1


@pytest.mark.parametrize(("factor", "offset"), [(1e-6, 0.0), (1.0, 5e4), (1e12, -3e13)])
def test_units_and_zero_points_do_not_matter(factor: float, offset: float) -> None:
    plane = streak(noise(), peak=60.0).astype(np.float64)
    other = fits_1(np.asarray(plane * factor + offset, np.float32))
    assert np.abs(other.astype(int) - fits_1(plane.astype(np.float32))).max() <= 1


def test_a_source_is_dark_whatever_the_polarity() -> None:
    plane = streak(noise(), peak=100.0)
    assert fits_1(plane)[78, 78] == 0
    assert fits_1(-plane)[78, 78] == 255
    assert fits_1(-plane, INVERTED)[78, 78] == 0


def test_a_small_stamp_is_padded_and_not_enlarged() -> None:
    plane = streak(noise(height=63, width=63), peak=100.0)
    frame = fits_1(plane)
    assert np.all(frame[:47] == 204)
    assert np.all(frame[:, 110:] == 204)
    assert np.array_equal(
        frame[47:110, 47:110], to_grey((204 - stretched(plane, ZTF)) / np.float32(20.4), 204)
    )


def test_of_a_large_stamp_the_middle_is_kept() -> None:
    plane = streak(noise(height=201, width=180), peak=100.0)
    kept = to_grey((204 - stretched(plane, ZTF)) / np.float32(20.4), 204)[22:179, 11:168]
    assert np.array_equal(fits_1(plane), kept)


@pytest.mark.parametrize("instrument", [FINE, COARSE])
def test_another_pixel_scale_is_resampled_to_the_networks(instrument: Instrument) -> None:
    side = round(120 / instrument.arcsec_per_px)
    plane = streak(noise(height=side, width=side), peak=300.0, length_px=50 / instrument.arcsec_per_px)
    grey = stretched(plane, instrument)
    assert grey.shape == (round(side * instrument.arcsec_per_px / 1.01),) * 2
    row = grey[grey.shape[0] // 2]
    assert np.count_nonzero(row < (204 + row.min()) / 2) == pytest.approx(50 / 1.01, abs=6)
    assert np.median(grey) == pytest.approx(204, abs=0.5)
    low, high = np.percentile(grey, [16, 84])
    assert (high - low) / 2 == pytest.approx(20.4, abs=1.5)


def test_masked_pixels_are_the_grey_of_the_sky_and_do_not_move_the_stretch() -> None:
    plane = noise()
    holed = plane.copy()
    holed[20:40, 30:60] = np.nan
    holed[100, 100] = np.inf
    frame = fits_1(holed)
    assert np.all(frame[20:40, 30:60] == 204)
    assert frame[100, 100] == 204
    seen = np.isfinite(holed)
    assert np.abs(frame[seen].astype(int) - fits_1(plane)[seen]).max() <= 2


def test_the_mask_value_of_a_profile_is_masked() -> None:
    plane = noise()
    plane[:50] = -999.0
    assert np.all(fits_1(plane, INVERTED)[:50] == 204)
    assert not np.all(fits_1(plane)[:50] == 204)


@pytest.mark.parametrize("instrument", [FINE, COARSE])
def test_nothing_masked_leaks_into_what_is_resampled(instrument: Instrument) -> None:
    plane = noise(height=200, width=200)
    plane[:100] = np.nan
    grey = stretched(plane, replace(instrument, most_masked=0.6))
    assert np.isnan(grey[: grey.shape[0] // 2 - 2]).all()
    assert not np.isnan(grey[grey.shape[0] // 2 + 2 :]).any()


def test_what_is_brighter_than_a_pixel_holds_does_not_spread() -> None:
    plane = noise(height=300, width=300)
    plane[150, 150] = 1e9
    wide, cut = stretched(plane, FINE), stretched(plane, replace(FINE, saturation_sigma=20.0))
    assert np.nanmin(cut) > np.nanmin(wide)
    assert np.nanmin(cut) > -300


def test_too_much_masked_is_rejected_by_the_profiles_share() -> None:
    plane = noise()
    plane[:100] = np.nan
    assert reason(plane) == "masked"
    assert fits_1(plane, replace(ZTF, most_masked=0.7)).shape == (157, 157)


@pytest.mark.parametrize("instrument", [ZTF, FINE, COARSE])
def test_an_image_of_every_second_row_is_stretched(instrument: Instrument) -> None:
    plane = noise(height=120, width=120)
    plane[::2] = np.nan
    grey = stretched(plane, instrument)
    assert np.nanmedian(grey) == pytest.approx(204, abs=1)


def test_nothing_but_masks_is_rejected() -> None:
    assert reason(np.full((63, 63), np.nan, np.float32)) == "masked"
    assert reason(np.full((63, 63), -999, np.float32), INVERTED) == "masked"


@pytest.mark.parametrize("value", [0.0, -7.5, 3e38])
def test_a_constant_image_is_rejected(value: float) -> None:
    assert reason(np.full((157, 157), value, np.float32)) == "flat"


def test_an_image_that_is_mostly_one_value_is_rejected() -> None:
    plane = noise()
    plane[:120] = 0.0
    assert reason(plane) == "flat"


def test_the_size_on_the_sky_is_limited() -> None:
    assert reason(noise(height=15, width=100)) == "too_small"
    assert reason(noise(height=50, width=50), FINE) == "too_small"
    assert reason(noise(height=700, width=700), COARSE) == "too_many_pixels"
    assert reason(noise(height=900, width=900), replace(COARSE, arcsec_per_px=30.0)) == "too_many_pixels"


def test_networks_read_it_by_their_own_recipe() -> None:
    plane = streak(noise(), peak=100.0)
    expected = deepstreaks_1(Image.fromarray(fits_1(plane)))
    assert np.array_equal(decode(fits_file(plane)), expected)


def test_a_fits_file_is_held_to_the_limits_of_any_cutout() -> None:
    with pytest.raises(CutoutRejected, match="too_large"):
        decode(fits_file(noise()), limits=DecodeLimits(max_bytes=50_000))
    with pytest.raises(CutoutRejected, match="too_many_pixels"):
        decode(fits_file(noise()), limits=DecodeLimits(max_pixels=10_000))
