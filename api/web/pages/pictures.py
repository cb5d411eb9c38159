"""A cutout as a browser can show it."""

import hashlib
import io
import json
from dataclasses import asdict

from fastapi import APIRouter, Response
from PIL import Image

from api.routes.cutouts import KnownOf, VersionOf, kept_by
from api.services import ServicesOf
from core.errors import CutoutRejected, InvalidRequest, NotFound
from core.instrument import DEFAULT_INSTRUMENT, Instrument
from core.settings import Settings
from cutouts.decode import DecodeLimits, decode
from cutouts.file_kinds import kind_of
from cutouts.instruments import find_instrument
from storage.database import Document

router = APIRouter(include_in_schema=False)

_SHOWN_AS_THEY_ARE = frozenset({"image/jpeg", "image/png"})
_RECIPES = ("fits-1", "deepstreaks-1")  # by which a FITS image comes to be a picture


@router.get("/cutouts/{cutout}/picture", response_class=Response)
def picture(
    cutout: str,
    services: ServicesOf,
    v: VersionOf = None,
    known: KnownOf = None,
) -> Response:
    """The file, if it is a JPEG or a PNG; a FITS image as networks see it. Raises NotFound for others.

    What is drawn depends on the instrument's profile, so a browser asks each time whether it is the same.
    """
    document = services.record.cutouts.get(cutout) or {}
    sha256 = document.get("sha256")
    if sha256 is None:
        raise NotFound(f"there is no picture of cutout {cutout!r}")
    instrument = _instrument(document, services.settings)
    as_it_is, as_drawn = kept_by(sha256, v), kept_by(f"{sha256}-{_mark(instrument)}", None)
    for headers in (as_it_is, as_drawn):
        if known is not None and headers["ETag"] in known:
            return Response(status_code=304, headers=headers)
    data = services.record.blobs.get(sha256)
    media_type = kind_of(data).media_type
    if media_type in _SHOWN_AS_THEY_ARE:
        return Response(data, media_type=media_type, headers=as_it_is)
    picture = _drawn(data, instrument, DecodeLimits.of(services.settings.limits))
    return Response(picture, media_type="image/png", headers=as_drawn)


def _instrument(document: Document, settings: Settings) -> Instrument:
    try:
        return find_instrument(document.get("instrument", DEFAULT_INSTRUMENT), settings.instruments)
    except InvalidRequest as error:
        raise NotFound(f"there is no picture of it: {error}") from error


def _mark(instrument: Instrument) -> str:
    """Of all that a drawn picture depends on, beside the file."""
    return hashlib.sha256(json.dumps([_RECIPES, asdict(instrument)]).encode()).hexdigest()[:8]


def _drawn(data: bytes, instrument: Instrument, limits: DecodeLimits) -> bytes:
    try:
        pixels = decode(data, instrument=instrument, limits=limits)
    except CutoutRejected as error:
        raise NotFound(f"there is no picture of it: {error}") from error
    file = io.BytesIO()
    Image.fromarray(pixels[:, :, 0]).save(file, "PNG")
    return file.getvalue()
