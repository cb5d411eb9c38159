"""What networks were not trained on is marked, and what they were trained on is not."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.instrument import Instrument
from cutouts.calibration import EXPECTED, departures
from cutouts.decode import decode_checked
from cutouts.fits_recipe import stretched
from cutouts.instruments import ZTF
from cutouts.simulator import simulate
from tests.fits_files import Array, fits_file, noise, streak
from tests.images import png
from tests.instruments import COARSE, FINE, INVERTED

REAL = Path(__file__).parents[3] / "shared" / "real-cutouts"


def quantities(grey: Array, instrument: Instrument = ZTF) -> set[str]:
    return {departure.quantity for departure in departures(grey, instrument)}


def simulated(count: int, instrument: Instrument = ZTF) -> list[Array]:
    """Grey cutouts as they come at night, and as networks are trained on."""
    cutouts = [
        *simulate("night", count=count // 2, seed=31, instrument=instrument),
        *simulate("rb-2018.9", count=count // 2, seed=32, instrument=instrument),
    ]
    return [np.asarray(Image.fromarray(cutout.image).convert("L")) for cutout in cutouts]


def test_hardly_any_simulated_cutout_is_marked() -> None:
    marked = [bool(departures(grey, ZTF)) for grey in simulated(600)]
    assert np.mean(marked) <= 0.01


def test_every_real_cutout_is_calibrated() -> None:
    if not REAL.is_dir():
        pytest.skip("the real cutouts are not here")
    for path in sorted([*REAL.glob("*.jpg"), *REAL.glob("*.png")]):
        assert departures(np.asarray(Image.open(path).convert("L")), ZTF) == (), path.name


def test_every_inverted_picture_is_marked() -> None:
    assert all("sky_grey" in quantities(np.uint8(255) - grey) for grey in simulated(100))


def test_an_inverted_picture_of_a_streak_is_marked_by_its_polarity_too() -> None:
    grey = np.clip(stretched(streak(noise(), peak=200.0), ZTF), 0, 255).astype(np.uint8)
    assert quantities(grey) == set()
    assert quantities(np.uint8(255) - grey) == {"sky_grey", "polarity"}


def test_a_float_image_of_the_wrong_polarity_is_marked() -> None:
    plane = streak(noise(), peak=200.0)
    assert quantities(stretched(plane, ZTF)) == set()
    assert quantities(stretched(-plane, ZTF)) == {"polarity"}
    assert quantities(stretched(-plane, INVERTED)) == set()
    (found,) = departures(stretched(-plane, ZTF), ZTF)
    assert found.observed == -1.0
    assert found.expected == EXPECTED["polarity"]


@pytest.mark.parametrize(
    ("level", "sigma", "expected"),
    [
        (204, 20.4, set()),
        (128, 20.4, {"sky_grey"}),
        (230, 8.0, {"sky_grey", "noise_grey"}),
        (204, 5.0, {"noise_grey"}),
        (204, 60.0, {"noise_grey"}),
    ],
)
def test_sky_and_noise_are_compared(level: float, sigma: float, expected: set[str]) -> None:
    grey = noise(sky=level, sigma=sigma).clip(0, 255).astype(np.uint8)
    assert quantities(grey) == expected


@pytest.mark.parametrize(
    ("height", "width", "marked"),
    [
        (157, 157, False),
        (131, 157, False),
        (105, 157, False),
        (63, 63, True),
        (104, 157, True),
        (300, 157, True),
    ],
)
def test_the_size_is_compared(height: int, width: int, marked: bool) -> None:
    plane = noise(height=height, width=width)
    side = {"side_px"} if marked else set()
    assert quantities(stretched(plane, ZTF)) == side
    assert quantities(np.clip(stretched(plane, ZTF), 0, 255).astype(np.uint8)) == side


def test_a_picture_at_another_pixel_scale_is_marked() -> None:
    picture = noise(sky=204, sigma=20.4).clip(0, 255).astype(np.uint8)
    assert quantities(picture, COARSE) == {"arcsec_per_px"}


def test_a_fits_image_is_resampled_and_marked_where_its_pixels_are_too_wide_for_that() -> None:
    wider = replace(COARSE, arcsec_per_px=1.3)
    assert quantities(stretched(noise(height=500, width=500), FINE), FINE) == set()
    assert quantities(stretched(noise(height=120, width=120), wider), wider) == set()
    assert quantities(stretched(noise(height=84, width=84), COARSE), COARSE) == {"noise_correlation"}


def test_smooth_pictures_are_marked_and_streaks_on_white_noise_are_not() -> None:
    image = Image.fromarray(noise(sky=204, sigma=60).clip(0, 255).astype(np.uint8))
    smooth = np.asarray(image.resize((60, 60), Image.Resampling.BOX).resize((157, 157)))
    assert quantities(smooth) == {"noise_correlation"}
    assert quantities(stretched(streak(noise(), peak=300.0, length_px=110.0, sigma_px=3.0), ZTF)) == set()


def test_masks_are_no_departure() -> None:
    plane = noise()
    plane[:60] = np.nan
    assert quantities(stretched(plane, ZTF)) == set()


def test_other_instruments_simulated_cutouts_are_calibrated() -> None:
    """The simulator and the recipe bring an instrument to the same looks."""
    wide = replace(ZTF, name="wide", fwhm_arcsec=3.5, exposure_s=60.0)
    assert np.mean([bool(departures(grey, wide)) for grey in simulated(100, wide)]) <= 0.03


def test_decoding_tells_the_departures() -> None:
    grey = noise(sky=204, sigma=20.4, height=63, width=63).clip(0, 255).astype(np.uint8)
    decoded = decode_checked(png(grey), recipes=["deepstreaks-1"])
    assert [d.quantity for d in decoded.departures] == ["side_px"]
    assert decoded.pixels["deepstreaks-1"].shape == (144, 144, 1)
    decoded = decode_checked(fits_file(noise(height=63, width=63)), recipes=["deepstreaks-1"])
    assert [(d.quantity, d.observed, d.expected) for d in decoded.departures] == [
        ("side_px", 63.0, (105.0, 157.0))
    ]


@pytest.mark.parametrize("part", [np.s_[::2], np.s_[1::2], np.s_[:, ::2], np.s_[:, 1::2]])
def test_an_image_of_every_second_line_is_compared_by_what_is_there(part: Any) -> None:
    plane = streak(noise(height=158, width=158)[:157, :157], peak=200.0)
    plane[part] = np.nan
    grey = stretched(plane, replace(ZTF, most_masked=0.6))
    assert quantities(grey) == set()


def test_values_beyond_all_measure_are_compared_without_a_warning() -> None:
    plane = noise(sigma=1e-6, sky=0.0)
    plane[30, 30:34] = 3e38
    assert quantities(stretched(plane, ZTF)) == set()
    assert decode_checked(fits_file(plane), recipes=["deepstreaks-1"]).departures == ()
