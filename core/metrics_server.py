"""A small HTTP server in a thread, for processes that have none: `/metrics` for Prometheus, `/healthz`."""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from core.errors import Misconfigured
from core.settings import Settings

PLAIN = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class Told:
    """What a process tells of itself.

    Attributes
    ----------
    metrics : in Prometheus's text format.
    fault : why it is not well; empty when it is.
    """

    metrics: Callable[[], bytes]
    fault: Callable[[], str] = lambda: ""


def serve_metrics(settings: Settings, told: Told) -> None:
    """Answer at the settings' port as long as the process runs; nothing where they name none.

    Raises Misconfigured for an address or a port that can't be listened at.
    """
    if settings.metrics_port is None:
        return
    handler = type("Handler", (_Handler,), {"told": told, "token": _token(settings)})
    where = (settings.metrics_host, settings.metrics_port)
    try:
        server = ThreadingHTTPServer(where, handler)
    except OSError as error:
        raise Misconfigured(
            f"DA_METRICS_HOST and _PORT: nothing can listen at {where[0]}:{where[1]}: {error.strerror}"
        ) from error
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()


def _token(settings: Settings) -> str:
    """The secrets' metrics_token; none on an invited host, which has no secrets file."""
    return "" if settings.guest is not None else settings.secrets.collector


def may_read_metrics(headers: Mapping[str, str], token: str) -> bool:
    """Whether a request's headers hold the secrets' metrics_token; never where the secrets hold none."""
    given = headers.get("Authorization", "").removeprefix("Bearer ")
    return bool(token) and hmac.compare_digest(given.encode(), token.encode())


class _Handler(BaseHTTPRequestHandler):
    told: Told
    token: str
    timeout = 10.0

    def do_GET(self) -> None:
        """Answer one of the two, or 404."""
        if self.path == "/healthz":
            fault = self.told.fault()
            self._answer(503 if fault else 200, (fault or "ok").encode())
        elif self.path != "/metrics":
            self._answer(404, b"expected /metrics or /healthz")
        elif not may_read_metrics(dict(self.headers), self.token):
            self._answer(401, b"expected the secrets' metrics_token as a bearer token")
        else:
            self._answer(200, self.told.metrics())

    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", PLAIN)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
