"""A cutout as a browser can show it."""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict

from fastapi import APIRouter, Response
from PIL import Image
from starlette.concurrency import run_in_threadpool

from api.routes.cutouts import KnownOf, VersionOf, kept_by
from api.services import Services, ServicesOf
from core.errors import CutoutRejected, InvalidRequest, NotFound
from core.instrument import DEFAULT_INSTRUMENT, Instrument
from core.settings import Settings
from cutouts.decode import DecodeLimits, decode
from cutouts.file_kinds import kind_of
from cutouts.instruments import find_instrument
from cutouts.recipes import Pixels
from cutouts.sources import read_reference
from storage.blobs import sha256_of
from storage.database import Document
from storage.packed_pixels import packed_pixels

router = APIRouter(include_in_schema=False)

_SHOWN_AS_THEY_ARE = frozenset({"image/jpeg", "image/png"})
_NOT_KEPT = {"Cache-Control": "private, no-cache"}
PATIENCE_S = 8.0
"""How long a reference may take: somebody waits for the picture."""
_RECIPES = ("fits-1", "deepstreaks-1")  # by which a FITS image comes to be a picture


@router.get("/cutouts/{cutout}/picture", response_class=Response)
async def picture(
    cutout: str,
    services: ServicesOf,
    v: VersionOf = None,
    known: KnownOf = None,
) -> Response:
    """The file, if it is a JPEG or a PNG; a FITS image as networks see it. Raises NotFound for others.

    Where the bytes are not stored here, what a pack holds, or else what the cutout's reference gives, if that
    is still the content that was scored. What is drawn depends on the instrument's profile, so a browser asks
    each time whether it is the same.
    """
    document = await run_in_threadpool(services.record.cutouts.get, cutout) or {}
    found = await run_in_threadpool(_at_hand, services, document, v, known)
    if found is not None:
        return found
    if not document.get("reference"):
        raise NotFound(f"there is no picture of cutout {cutout[:100]!r}")
    return await services.fetches.run(lambda: _referred(services, document, v))


def _at_hand(services: Services, document: Document, v: str | None, known: str | None) -> Response | None:
    """The picture from the blob store, or from a pack; None for one that is in neither."""
    sha256 = document.get("sha256")
    if sha256 is None:
        return None
    as_packed = kept_by(f"{sha256}-packed", None)
    for headers in (kept_by(sha256, v), _as_drawn(services, document), as_packed):
        if known is not None and headers["ETag"] in known:
            return Response(status_code=304, headers=headers)
    try:
        data = services.record.blobs.get(sha256)
    except NotFound:
        pixels = packed_pixels(services.record, document["_id"], sha256)
        return None if pixels is None else Response(_png(pixels), media_type="image/png", headers=as_packed)
    return _shown(services, document, data, kept_by(sha256, v))


def _referred(services: Services, document: Document, v: str | None) -> Response:
    """What the cutout's reference gives now, under the same limits and rules as for workers."""
    settings, sha256 = services.settings, document.get("sha256")
    try:
        data = read_reference(
            document["reference"],
            settings.references,
            max_bytes=settings.limits.cutout_bytes,
            timeout_s=min(PATIENCE_S, settings.limits.fetch_timeout_s),
        )
    except CutoutRejected as error:
        raise NotFound(f"there is no picture of it: {error}") from error
    if sha256 is not None and sha256_of(data) != sha256:
        raise NotFound("there is no picture of it: its reference gives another content than was scored")
    return _shown(services, document, data, _NOT_KEPT if sha256 is None else kept_by(sha256, v))


def _shown(services: Services, document: Document, data: bytes, as_it_is: Mapping[str, str]) -> Response:
    media_type = kind_of(data).media_type
    if media_type in _SHOWN_AS_THEY_ARE:
        return Response(data, media_type=media_type, headers=as_it_is)
    instrument = _instrument(document, services.settings)
    pixels = _decoded(data, instrument, DecodeLimits.of(services.settings.limits))
    headers = _as_drawn(services, document) if document.get("sha256") else _NOT_KEPT
    return Response(_png(pixels), media_type="image/png", headers=headers)


def _as_drawn(services: Services, document: Document) -> dict[str, str]:
    return kept_by(f"{document['sha256']}-{_mark(_instrument(document, services.settings))}", None)


def _instrument(document: Document, settings: Settings) -> Instrument:
    try:
        return find_instrument(document.get("instrument", DEFAULT_INSTRUMENT), settings.instruments)
    except InvalidRequest as error:
        raise NotFound(f"there is no picture of it: {error}") from error


def _mark(instrument: Instrument) -> str:
    """Of all that a drawn picture depends on, beside the file."""
    return hashlib.sha256(json.dumps([_RECIPES, asdict(instrument)]).encode()).hexdigest()[:8]


def _decoded(data: bytes, instrument: Instrument, limits: DecodeLimits) -> Pixels:
    try:
        return decode(data, instrument=instrument, limits=limits)
    except CutoutRejected as error:
        raise NotFound(f"there is no picture of it: {error}") from error


def _png(pixels: Pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels[:, :, 0]).save(file, "PNG")
    return file.getvalue()
