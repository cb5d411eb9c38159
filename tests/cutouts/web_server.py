"""A web server on loopback that answers as a test wants, and remembers what it was asked."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

from bench.loopback_server import web_server_of

Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def web_server(answers: dict[str, Answer]) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Serve these answers by path; yields the address and the headers of each request so far."""
    asked: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(dict(self.headers.items()))
            answers[self.path](self)

    with web_server_of(Handler) as url:
        yield url, asked


def body(data: bytes, *, status: int = 200, length: int | None = None, **headers: str) -> Answer:
    """An answer with a body, by default of the length that it states."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(data) if length is None else length))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def endless(handler: BaseHTTPRequestHandler) -> None:
    """A body without a length, a byte at a time."""
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(1000):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        return
