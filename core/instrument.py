"""An instrument: what has to be known of a telescope to turn its float images into the networks' input."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

DEFAULT_INSTRUMENT = "ztf"

_Number = Annotated[float, Field(allow_inf_nan=False)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """A named profile. It is recorded with the job that uses it, as it was when the job was accepted.

    Parameters
    ----------
    arcsec_per_px : the pixel scale of its images.
    fwhm_arcsec : the typical seeing, full width at half maximum.
    exposure_s : of one image; a streak's length grows with it.
    polarity : the sign of a new source in its difference images.
    saturation_sigma : in sigmas of the sky, the most that a pixel holds; what is above is cut to it. None for
        no limit below black, which is 10 sigma.
    mask_value : the pixel value that means masked, beside NaN and BLANK; None for no such value.
    most_masked : the share of masked pixels, 0 to 1, above which a cutout is rejected.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
    arcsec_per_px: Annotated[_Number, Field(ge=0.01, le=30)]
    fwhm_arcsec: Annotated[_Number, Field(ge=0.05, le=20)]
    exposure_s: Annotated[_Number, Field(ge=0.1, le=600)]
    polarity: Literal["positive", "negative"] = "positive"
    saturation_sigma: Annotated[_Number, Field(ge=3)] | None = None
    mask_value: _Number | None = None
    most_masked: Annotated[_Number, Field(ge=0, lt=1)] = 0.5
