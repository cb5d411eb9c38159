"""The Zwicky Transient Facility, whose cutouts the networks were made for."""

from core.instrument import DEFAULT_INSTRUMENT, Instrument

ZTF = Instrument(name=DEFAULT_INSTRUMENT, arcsec_per_px=1.01, fwhm_arcsec=2.0, exposure_s=30.0)
"""Pixel scale and exposure: Bellm et al. 2019, PASP 131, 018002."""
