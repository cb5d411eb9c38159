"""Small servers on loopback, for as long as a block lasts."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOOPBACK = "127.0.0.1"
POLL_S = 0.05


class _WebServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that was killed, or has given up, is no news."""


@contextmanager
def web_server_of(handler: type[BaseHTTPRequestHandler], *, host: str = LOOPBACK) -> Iterator[str]:
    """Serve HTTP at a free port; yields the address, without a slash at its end. Writes no log."""
    server = _WebServer((host, 0), type("Quiet", (handler,), {"log_message": lambda *_: None}))
    with serving(server):
        yield f"http://{host}:{server.server_port}"


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    """Have a server answer in a thread; closes it at the end."""
    thread = threading.Thread(target=server.serve_forever, args=(POLL_S,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
