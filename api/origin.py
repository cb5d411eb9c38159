"""Cross-site request forgery: a browser says where a request comes from; only this site may change things.

`Sec-Fetch-Site` is sent by every current browser to https and to this machine, `Origin` with every request
that is not a GET; a page can forge neither. A client that sends none of them is no browser: what it sends
was not made by a page, so the predecessor's client, with its cookie alone, goes through.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers

from core.errors import NotAllowed

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN = ("same-origin", "none")  # none: typed by the person, or a bookmark


def refuse_foreign(method: str, headers: Headers) -> None:
    """Raise NotAllowed for a request that changes something and was made by another site's page."""
    if method in _SAFE_METHODS:
        return
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    if site is not None:
        foreign = site not in _OWN
    else:
        foreign = origin is not None and _host(origin) != headers.get("Host", "").lower()
    if foreign:
        came = f"from the page of another site ({(site or origin or '')[:80]!r})"
        raise NotAllowed(f"this request came {came}; expected one of this site's own pages")


def _host(origin: str) -> str | None:
    """Of an origin; None of what is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None
