"""Pages from templates: everything is escaped, and nothing but this site's own files may load or run."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse, StreamingResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.web.assets import asset_url
from api.web.navigation import NAVIGATION
from core.user import User

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
_HEADERS = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Referrer-Policy": "same-origin"}
_PART = 16_384
"""Characters: the head of a page and some rows of pictures."""


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page, or a part of one, for who asked; `values` are the template's."""
    user: User | None = getattr(request.state, "user", None)
    return rendered(template, user=user, here=request.url.path, status=status, **values)


def page_in_parts(request: Request, template: str, **values: Any) -> StreamingResponse:
    """The same in parts: the browser asks for the first pictures of a long page while the rest is written."""
    user: User | None = getattr(request.state, "user", None)
    pieces = _environment().get_template(template).generate(user=user, here=request.url.path, **values)
    return StreamingResponse(_parts(pieces), media_type="text/html", headers=_HEADERS)


def _parts(pieces: Iterable[str]) -> Iterator[str]:
    """Pieces put together to parts worth sending."""
    part: list[str] = []
    size = 0
    for piece in pieces:
        part.append(piece)
        size += len(piece)
        if size >= _PART:
            yield "".join(part)
            part, size = [], 0
    yield "".join(part)


def rendered(
    template: str,
    *,
    user: User | None,
    here: str = "",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: Any,
) -> HTMLResponse:
    """The same without a request: for errors, which may come before there is one."""
    text = _environment().get_template(template).render(user=user, here=here, **values)
    return HTMLResponse(text, status, headers={**_HEADERS, **(headers or {})})


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"asset": asset_url, "pages": NAVIGATION}
    environment.filters |= {
        "count": _count,
        "score": _score,
        "moment": _moment,
        "night": _night,
        "picture": _picture,
    }
    return environment


def _count(number: int) -> str:
    """`12,345`."""
    return f"{number:,}"


def _score(score: float | None) -> str:
    """`.973`: to a thousandth, never rounded up to 1 or down to 0."""
    if score is None:
        return "–"
    shown = min(max(score, 0.0), 1.0)
    if 0.9995 <= shown < 1:
        return ">.999"
    if 0 < shown < 0.0005:
        return "<.001"
    return f"{shown:.3f}".removeprefix("0") if shown < 1 else "1.000"


def _moment(at: datetime | None) -> str:
    """`2026-11-25 20:14:37`, in UTC, which the page says once."""
    return "–" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _picture(cutout: Mapping[str, Any]) -> str:
    """Where the picture of a cutout is; kept for ever under the sha256 of its bytes, if that is known."""
    version = f"?v={cutout['sha256']}" if cutout.get("sha256") else ""
    return f"/cutouts/{quote(cutout['_id'], safe='')}/picture{version}"


def _night(night: str | None) -> str:
    """`2018-11-06` of `20181106`."""
    return "–" if night is None else f"{night[:4]}-{night[4:6]}-{night[6:]}"
