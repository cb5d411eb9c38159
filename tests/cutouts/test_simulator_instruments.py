"""The simulator draws what an instrument's cutouts look like once the networks see them."""

from dataclasses import replace

import numpy as np

from core.instrument import Instrument
from cutouts.instruments import ZTF
from cutouts.simulator import draw
from cutouts.simulator.sky import sky
from tests.instruments import COARSE


def lengths(instrument: Instrument) -> float:
    found = [draw("short", seed, instrument=instrument).truth.length_px or 0 for seed in range(120)]
    return float(np.median(found))


def test_the_name_alone_changes_nothing() -> None:
    other = replace(ZTF, name="other")
    for seed in range(5):
        same = draw("long", seed, instrument=other)
        assert np.array_equal(same.image, draw("long", seed).image)


def test_streaks_are_longer_in_a_longer_exposure() -> None:
    assert lengths(replace(ZTF, exposure_s=60.0)) > 1.4 * lengths(ZTF)
    assert lengths(replace(ZTF, exposure_s=10.0)) < 0.6 * lengths(ZTF)


def test_streaks_are_wider_in_worse_seeing() -> None:
    def dark(fwhm_arcsec: float) -> float:
        instrument = replace(ZTF, fwhm_arcsec=fwhm_arcsec)
        return float(
            np.mean([(draw("long", s, instrument=instrument).image < 100).mean() for s in range(40)])
        )

    assert dark(4.0) > 1.3 * dark(2.0)


def test_wide_pixels_leave_correlated_noise_of_the_same_strength() -> None:
    plane = sky(np.random.default_rng(1), native_px=COARSE.arcsec_per_px / ZTF.arcsec_per_px)
    assert plane.shape == (157, 157)
    assert 0.8 < plane.std() < 1.2
    assert np.corrcoef(plane[:, 1:].ravel(), plane[:, :-1].ravel())[0, 1] > 0.4


def test_nothing_is_brighter_than_a_pixel_holds() -> None:
    full = replace(ZTF, saturation_sigma=5.0)
    for seed in range(8):
        image = draw("long", seed, instrument=full).image
        unmarked = image[(image[..., 0] == image[..., 1])]
        assert unmarked.min() >= 204 - 5 * 20.4 - 1
