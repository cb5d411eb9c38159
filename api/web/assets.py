"""Style, scripts and pictures of the pages: served under a name that changes with their contents."""

import hashlib
import mimetypes
from functools import cache
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import Response

from core.errors import NotFound

ASSETS = "/assets/"
STATIC = Path(__file__).parent / "static"

router = APIRouter(include_in_schema=False)


@cache
def release() -> str:
    """12 hex digits of all assets together: scripts import each other by relative paths."""
    digest = hashlib.sha256()
    for name, content in sorted(_contents().items()):
        digest.update(name.encode() + b"\0" + content)
    return digest.hexdigest()[:12]


def asset_url(name: str) -> str:
    """Where an asset is; raises NotFound for one that is not there, so that a page can't name it."""
    if name not in _contents():
        raise NotFound(f"there is no asset {name!r}")
    return f"{ASSETS}{release()}/{name}"


def asset_text(name: str) -> str:
    """An asset itself, for a page that has to be whole without others; raises KeyError for an unknown one."""
    return _contents()[name].decode()


@router.get(ASSETS + "{which}/{name:path}", response_class=Response)
def asset(which: str, name: str) -> Response:
    """One asset. Open to anyone: there is nothing in it but what the repository has."""
    content = _contents().get(name)
    if content is None:
        raise NotFound(f"there is no asset {name[:80]!r}")
    media_type, _ = mimetypes.guess_type(name)
    kept = "public, max-age=31536000, immutable" if which == release() else "no-store"
    return Response(content, media_type=media_type or "text/plain", headers={"Cache-Control": kept})


@cache
def _contents() -> dict[str, bytes]:
    """Every file by its path below `static`; a request's path is looked up here and never opened."""
    return {
        path.relative_to(STATIC).as_posix(): path.read_bytes() for path in STATIC.rglob("*") if path.is_file()
    }
