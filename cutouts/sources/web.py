"""References over HTTP: only to hosts that are allowed, at the very address that was checked."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from http.client import HTTPException
from urllib.parse import quote, urljoin, urlsplit

import certifi
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError
from urllib3.response import BaseHTTPResponse

from core.errors import CutoutRejected, Unavailable, Unsafe
from core.settings import References, Webhooks
from cutouts.sources.addresses import Address, addresses_of, is_global

MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_WORTH_A_RETRY = frozenset({408, 425, 429})
_CHUNK = 65536
_URL_CHARACTERS = "/?%:@!$&'()*+,;=~"  # beside letters, digits and "-._": RFC 3986
_HEADERS = {"User-Agent": "deep-asteroids", "Accept": "image/*, */*;q=0.1", "Accept-Encoding": "identity"}


Policy = References | Webhooks


@dataclass(frozen=True)
class Target:
    """One URL to fetch, of an allowed scheme and host."""

    scheme: str
    host: str
    port: int
    path: str
    what: str = "reference"

    @classmethod
    def parse(cls, url: str, policy: Policy, *, what: str = "reference") -> "Target":
        """Take a URL apart; raises Unsafe when its scheme or host is not allowed, or it holds credentials."""
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").rstrip("."), parts.port
        except ValueError as error:
            raise Unsafe(f"{what} {url!r} is not a URL: {error}") from error
        if parts.scheme not in ("http", "https") or parts.scheme not in policy.schemes:
            raise Unsafe(f"{what} {url!r}; allowed schemes: {', '.join(policy.schemes)}")
        if "@" in parts.netloc:
            raise Unsafe(f"{what} to {host!r} carries a user name or password; expected a plain URL")
        if not host_is_allowed(host, policy):
            allowed = ", ".join(policy.hosts) or "none"
            raise Unsafe(f"{what} {url!r} is on the host {host!r}; allowed: {allowed}")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        default = 443 if parts.scheme == "https" else 80
        return cls(parts.scheme, host, port or default, quote(path, safe=_URL_CHARACTERS), what)

    def refuse_private(self, policy: Policy) -> None:
        """Raises Unsafe when the host has an address that is not allowed; a host that is unknown passes."""
        try:
            self.addresses(policy)
        except Unavailable:
            return

    def addresses(self, policy: Policy) -> list[Address]:
        """The host's addresses, all of them allowed; raises Unsafe or Unavailable."""
        found = addresses_of(self.host, self.port)
        refused = [str(address) for address in found if not is_global(address)]
        if refused and not policy.private_addresses:
            raise Unsafe(
                f"{self.what} to {self.host!r}, which has the private address {refused[0]}; expected a "
                f"public address (private ones are allowed by {self.what}s.private_addresses)"
            )
        return found

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"


def host_is_allowed(host: str, policy: Policy) -> bool:
    """Whether the settings name this host, or any host."""
    return bool(host) and any(allowed in ("*", host.lower()) for allowed in map(str.lower, policy.hosts))


def read_url(url: str, policy: References, *, max_bytes: int, timeout_s: float) -> bytes:
    """The body behind a URL. Each redirect is checked as the first URL was.

    Raises CutoutRejected, Unavailable, or Unsafe for a target that is not allowed.
    """
    deadline = time.monotonic() + timeout_s
    for _ in range(MAX_REDIRECTS + 1):
        target = Target.parse(url, policy)
        addresses = target.addresses(policy)
        with _response(target, addresses, max(deadline - time.monotonic(), 0.001)) as response:
            if response.status not in _REDIRECTS:
                _check_status(url, response.status)
                return _body(url, response, max_bytes)
            url = urljoin(url, response.headers.get("Location", ""))
    raise CutoutRejected("fetch", "too_many_redirects", f"{url}: more than {MAX_REDIRECTS} redirects")


def check_webhook(url: str, policy: Webhooks) -> None:
    """Raises Unsafe for a URL that may not be posted to; a host that is unknown today passes."""
    Target.parse(url, policy, what="webhook").refuse_private(policy)


def post(url: str, policy: Webhooks, body: bytes, headers: Mapping[str, str]) -> int:
    """The status that a URL answers a body with. No redirect is followed.

    Raises Unsafe for a target that is not allowed, Unavailable when there is no answer in time.
    """
    target = Target.parse(url, policy, what="webhook")
    addresses = target.addresses(policy)
    with _response(
        target, addresses, policy.timeout_s, method="POST", body=body, headers=headers
    ) as response:
        return int(response.status)


@contextmanager
def _response(
    target: Target,
    addresses: list[Address],
    timeout_s: float,
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] = _HEADERS,
) -> Iterator[BaseHTTPResponse]:
    """A response from one of the addresses; connecting and the whole block take `timeout_s` at most."""
    expired = threading.Event()
    with ExitStack() as stack:
        try:
            connection = _connected(target, addresses, timeout_s)
            stack.callback(connection.close)
            watch = threading.Timer(timeout_s, _shut, [connection.sock, expired])
            watch.daemon = True
            watch.start()
            stack.callback(watch.cancel)
            told = {**headers, "Host": target.authority}
            connection.request(method, target.path, body=body, headers=told, preload_content=False)
            response = connection.getresponse()
            stack.callback(response.close)
            yield response
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            late = expired.is_set() or isinstance(error, TimeoutError)
            reason = f"no whole answer within {timeout_s:.0f} s" if late else type(error).__name__
            raise Unavailable(f"{target.authority}: {reason}") from error
        if expired.is_set():  # a body without a stated length looks whole when its connection is shut
            raise Unavailable(f"{target.authority}: no whole answer within {timeout_s:.0f} s")


def _connected(target: Target, addresses: list[Address], timeout_s: float) -> HTTPConnection:
    """A connection to the first of the addresses that takes one; the name is not looked up again."""
    for address in addresses[:-1]:
        connection = _connection(target, address, timeout_s / len(addresses))
        try:
            connection.connect()
        except (NewConnectionError, ConnectTimeoutError):
            connection.close()
        else:
            return connection
    connection = _connection(target, addresses[-1], timeout_s)
    connection.connect()
    return connection


def _connection(target: Target, address: Address, timeout_s: float) -> HTTPConnection:
    if target.scheme == "http":
        return HTTPConnection(str(address), target.port, timeout=timeout_s)
    return HTTPSConnection(
        str(address),
        target.port,
        timeout=timeout_s,
        server_hostname=target.host,
        assert_hostname=target.host,
        ssl_context=_trust(),
    )


def _shut(sock: socket.socket, expired: threading.Event) -> None:
    """End a connection under its reader, who may be waiting for one more byte of a slow server."""
    expired.set()
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _check_status(url: str, status: int) -> None:
    if status == 200:
        return
    if status >= 500 or status in _WORTH_A_RETRY:
        raise Unavailable(f"{url}: HTTP status {status}")
    reason = "not_found" if status in (404, 410) else "http_status"
    raise CutoutRejected("fetch", reason, f"{url}: HTTP status {status}; expected 200")


def _body(url: str, response: BaseHTTPResponse, max_bytes: int) -> bytes:
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise CutoutRejected("fetch", "encoded", f"{url}: Content-Encoding {encoding}; expected none")
    too_large = CutoutRejected("fetch", "too_large", f"{url}: more than {max_bytes} bytes")
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > max_bytes:
        raise too_large
    body = bytearray()
    while chunk := response.read1(_CHUNK):
        body += chunk
        if len(body) > max_bytes:
            raise too_large
    if length.isdecimal() and len(body) != int(length):
        raise Unavailable(f"{url}: {len(body)} of {length} bytes came")
    return bytes(body)


@cache
def _trust() -> ssl.SSLContext:
    """The certificates that this host trusts and those of Mozilla's list."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
