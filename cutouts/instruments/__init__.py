"""Instruments: the profile that is built in, and how one is found by its name.

What a profile holds is in core.instrument; further ones come from the settings (`instruments`).
"""

from cutouts.instruments.registry import find_instrument
from cutouts.instruments.ztf import ZTF

__all__ = ["ZTF", "find_instrument"]
