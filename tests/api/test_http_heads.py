"""The server of HTTP holds what strangers try before any of our code runs, whichever parses it."""

import re
import socket
from contextlib import suppress

import pytest
import requests

from tests.api.server import ApiServer

START = b"GET /healthz HTTP/1.1\r\nHost: api\r\n"
CHUNKED = START.replace(b"GET", b"POST") + b"Transfer-Encoding: chunked\r\n\r\n"
LAST = START + b"Connection: close\r\n\r\n"
MUCH = 2_000_000
STATUS = re.compile(rb"HTTP/1\.1 (\d+)")


def said(api: ApiServer, *parts: bytes) -> list[int]:
    """The statuses of what the API says to these bytes, each part sent alone, until it closes."""
    told = b""
    with socket.create_connection(("127.0.0.1", api.port), timeout=20) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(ConnectionError):  # it may close while more comes
            for part in parts:
                connection.sendall(part)
            while more := connection.recv(65536):
                told += more
    return [int(status) for status in STATUS.findall(told)]


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(b"GET /", id="path"),
        pytest.param(START, id="name of a header"),
        pytest.param(START + b"a: ", id="value of a header"),
        pytest.param(CHUNKED + b"5;", id="extension of a chunk"),
        pytest.param(CHUNKED + b"1\r\nx\r\n0\r\na: ", id="value of a trailer"),
    ],
)
def test_a_line_without_end_ends_the_connection(api: ApiServer, begun: bytes) -> None:
    """One that is taken for ever would be waited for until the socket's timeout."""
    assert 200 not in said(api, begun + b"x" * MUCH)
    assert requests.get(f"{api.url}/healthz", timeout=30).status_code == 200


@pytest.mark.parametrize("method", [b"POST", b"CONNECT"])
def test_a_body_is_no_request_whatever_its_head_asks_for(api: ApiServer, method: bytes) -> None:
    hidden = b"GET /readyz HTTP/1.1\r\nHost: api\r\n\r\n"
    head = method + b" /v1/jobs HTTP/1.1\r\nHost: api\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    head += b"Content-Length: %d\r\n\r\n" % len(hidden)
    for parts in ([head + hidden + LAST], [head, hidden, LAST]):
        assert said(api, *parts) in ([401, 200], [401])


def test_trailers_are_no_headers(api: ApiServer) -> None:
    """The administrator's token counts in the head alone."""
    head = b"GET /v1/jobs HTTP/1.1\r\nHost: api\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
    token = b"Authorization: Bearer " + api.token.encode() + b"\r\n"
    body = b"\r\n1\r\nx\r\n0\r\n"
    assert said(api, head + token + body + b"\r\n") == [200]
    assert said(api, head + body + token + b"\r\n") == [401]


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"GET /healthz HTTP/1.1\r\n", id="no host"),
        pytest.param(START + b"Host: other\r\n", id="two hosts"),
        pytest.param(START + b"Content-Length: 1\r\nContent-Length: 2\r\n", id="two lengths"),
        pytest.param(START + b"a : b\r\n", id="a blank before the colon"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="TLS"),
    ],
)
def test_what_is_no_request_is_refused(api: ApiServer, head: bytes) -> None:
    assert said(api, head + b"\r\n") == [400]


def test_each_request_of_a_connection_is_measured_alone(api: ApiServer) -> None:
    one = START + b"a: " + b"x" * 30_000 + b"\r\n\r\n"
    assert said(api, one * 5, LAST) == [200] * 6
