"""Profiles of telescopes that are not ours."""

from core.instrument import Instrument

COARSE = Instrument(name="coarse", arcsec_per_px=1.86, fwhm_arcsec=4.0, exposure_s=30.0)
FINE = Instrument(name="fine", arcsec_per_px=0.26, fwhm_arcsec=0.9, exposure_s=15.0)
INVERTED = Instrument(
    name="inverted",
    arcsec_per_px=1.01,
    fwhm_arcsec=2.0,
    exposure_s=30.0,
    polarity="negative",
    mask_value=-999.0,
)
