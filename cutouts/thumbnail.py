"""Small pictures of cutouts, for people."""

import io

from PIL import Image

from core.instrument import Instrument
from cutouts.decode import DecodeLimits, decode
from cutouts.instruments import ZTF

_QUALITY = 85


def thumbnail(data: bytes, *, instrument: Instrument = ZTF, limits: DecodeLimits | None = None) -> bytes:
    """A cutout as the networks see it: a grey JPEG of 144x144 px, some 6 kB.

    Raises CutoutRejected as `decode` does.
    """
    picture = io.BytesIO()
    Image.fromarray(decode(data, instrument=instrument, limits=limits)[..., 0]).save(
        picture, "JPEG", quality=_QUALITY
    )
    return picture.getvalue()
