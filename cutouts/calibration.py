"""Whether a cutout looks as those that the networks were trained on: its sky, noise, polarity and size."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.instrument import Instrument
from core.outcome import Departure

Grey = NDArray[Any]

EXPECTED: dict[str, tuple[float, float]] = {
    "sky_grey": (192.0, 217.0),
    "noise_grey": (12.0, 40.0),
    "noise_correlation": (-0.2, 0.65),
    "polarity": (-0.9, 1.0),
    "side_px": (105.0, 157.0),
    "arcsec_per_px": (0.96, 1.06),
}
"""What is expected of each quantity, both ends included.

Sky and noise are what the simulator's presets draw, 1 in 1,000 left out at each end, with 12 for pictures
that were resampled, and the correlation 1 in 200; sides are those of its cutouts at the edge of a CCD.
"""

VERSION = 1  # to be counted up when `departures` finds something else in the same cutout
_EVERY = 2  # rows, of which half are enough: the check may cost no more than 3 % of scoring
_CORE_PX = 20
_BRIGHT_SIGMAS = 5
_FEWEST_BRIGHT = 20


def departures(grey: Grey, instrument: Instrument) -> tuple[Departure, ...]:
    """How a cutout departs from what networks were trained on; nothing for one that does not.

    Parameters
    ----------
    grey : (h, w), sky at 204 and sources darker: uint8 as in a picture, or float32, not clipped, NaN where
        masked, as `fits_recipe.stretched` returns. A picture is not resampled, so its pixel scale counts too.

    Sky is the median grey level, noise half the distance of the 16th and 84th percentile, polarity
    (dark - bright) / (dark + bright) of the pixels over 5 sigma in the 41 x 41 in the middle, from 20 such
    pixels on, and the side the one that departs most. The noise's correlation is that of neighbours in a row,
    1 - d^2 / 2 where d is the noise of their differences in units of the noise: wide pixels that were
    resampled to narrow ones leave it high, whatever lies on the sky hardly moves it.
    """
    rows = grey[::_EVERY] if grey.dtype == np.uint8 else grey
    low, sky, high = _quantiles(rows)
    noise = (high - low) / 2
    found = {"sky_grey": sky, "noise_grey": noise, "side_px": _side(grey.shape)}
    difference_noise = _difference_noise(rows)
    if noise > 0 and difference_noise is not None:
        found["noise_correlation"] = 1 - (difference_noise / noise) ** 2 / 2
    polarity = _polarity(grey, sky, noise)
    if polarity is not None:
        found["polarity"] = polarity
    if grey.dtype == np.uint8:
        found["arcsec_per_px"] = instrument.arcsec_per_px
    return tuple(
        Departure(quantity, round(found[quantity], 3), expected)
        for quantity, expected in EXPECTED.items()
        if quantity in found and not expected[0] <= found[quantity] <= expected[1]
    )


def _quantiles(grey: Grey) -> tuple[float, float, float]:
    """The 16th, 50th and 84th percentile."""
    if grey.dtype != np.uint8:
        low, middle, high = np.percentile(grey[np.isfinite(grey)], [16, 50, 84])
        return float(low), float(middle), float(high)
    counts = np.bincount(grey.ravel(), minlength=256).cumsum()
    low, middle, high = np.searchsorted(counts, counts[-1] * np.array([0.16, 0.5, 0.84]))
    return float(low), float(middle), float(high)


def _difference_noise(rows: Grey) -> float | None:
    """The noise of the differences of neighbours in a row; None where masks leave no neighbours."""
    difference = rows[:, 1:] - rows[:, :-1]
    if rows.dtype == np.uint8:
        difference += np.uint8(128)  # they are known modulo 256, of which the middle half is enough
    elif not np.isfinite(difference).any():
        return None
    low, _, high = _quantiles(difference)
    return (high - low) / 2


def _polarity(grey: Grey, sky: float, noise: float) -> float | None:
    """1 where all that is bright on the sky is dark in the picture, -1 where it is the other way round."""
    row, column = (length // 2 for length in grey.shape)
    core = grey[
        max(0, row - _CORE_PX) : row + _CORE_PX + 1, max(0, column - _CORE_PX) : column + _CORE_PX + 1
    ]
    dark = int(np.count_nonzero(core < sky - _BRIGHT_SIGMAS * noise))
    bright = int(np.count_nonzero(core > sky + _BRIGHT_SIGMAS * noise))
    return (dark - bright) / (dark + bright) if dark + bright >= _FEWEST_BRIGHT else None


def _side(shape: tuple[int, ...]) -> float:
    return float(min(shape) if min(shape) < EXPECTED["side_px"][0] else max(shape))
