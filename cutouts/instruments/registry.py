"""Instruments by name."""

from collections.abc import Mapping

from core.errors import InvalidRequest
from core.instrument import Instrument
from cutouts.instruments.ztf import ZTF


def find_instrument(name: str, further: Mapping[str, Instrument]) -> Instrument:
    """The instrument of this name, `ztf` or one of `further`, which the settings hold.

    Raises InvalidRequest, naming those that there are, for another name.
    """
    known = {**further, ZTF.name: ZTF}
    if name not in known:
        raise InvalidRequest(f"no instrument {name!r}; expected one of {', '.join(sorted(known))}")
    return known[name]
