"""A cutout as a browser can show it."""

import io

from fastapi import APIRouter, Response
from PIL import Image

from api.routes.cutouts import KnownOf, VersionOf, kept_by
from api.services import ServicesOf
from core.errors import CutoutRejected, NotFound
from cutouts.decode import decode
from cutouts.file_kinds import kind_of

router = APIRouter(include_in_schema=False)

_SHOWN_AS_THEY_ARE = frozenset({"image/jpeg", "image/png"})


@router.get("/cutouts/{cutout}/picture", response_class=Response)
def picture(
    cutout: str,
    services: ServicesOf,
    v: VersionOf = None,
    known: KnownOf = None,
) -> Response:
    """The file, if it is a JPEG or a PNG; a FITS image as networks see it. Raises NotFound for others."""
    document = services.record.cutouts.get(cutout)
    sha256 = None if document is None else document.get("sha256")
    if sha256 is None:
        raise NotFound(f"there is no picture of cutout {cutout!r}")
    headers = kept_by(sha256, v)
    if known is not None and headers["ETag"] in known:
        return Response(status_code=304, headers=headers)
    data = services.record.blobs.get(sha256)
    media_type = kind_of(data).media_type
    if media_type not in _SHOWN_AS_THEY_ARE:
        data, media_type = _drawn(data), "image/png"
    return Response(data, media_type=media_type, headers=headers)


def _drawn(data: bytes) -> bytes:
    try:
        pixels = decode(data)
    except CutoutRejected as error:
        raise NotFound(f"there is no picture of it: {error}") from error
    file = io.BytesIO()
    Image.fromarray(pixels[:, :, 0]).save(file, "PNG")
    return file.getvalue()
