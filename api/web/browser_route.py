"""Pages under paths that programs call, too: a browser gets the page, all else the call behind it."""

from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.routing import Match
from starlette.types import Scope

from api.answers import is_browser


class BrowserRoute(APIRoute):
    """A page for who asks for HTML and for no download; to others it is not there, and the next route is."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As every route, for a browser alone."""
        if scope["type"] == "http" and (_is_download(scope) or not is_browser(Headers(scope=scope))):
            return Match.NONE, {}
        return super().matches(scope)


def _is_download(scope: Scope) -> bool:
    return any(part.startswith(b"download=") for part in scope["query_string"].split(b"&"))
