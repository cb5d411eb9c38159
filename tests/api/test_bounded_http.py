"""What a request says of itself ends after 64 KiB, wherever it goes on, and nobody else notices."""

import socket
from contextlib import suppress

import pytest

from api.bounded_http import HEAD_BYTES, TOLD
from tests.api.server import ApiServer

START = b"GET /healthz HTTP/1.1\r\nHost: api\r\n"
CHUNKED = START.replace(b"GET", b"POST") + b"Transfer-Encoding: chunked\r\n\r\n"
MANY = b"".join(b"a%05d: %s\r\n" % (n, b"x" * 90) for n in range(700))
PIECE = 9_973


def said(api: ApiServer, sent: bytes, *, until: bytes | None = None) -> bytes:
    """What the API says to these bytes, sent in pieces, until it closes or has said this."""
    told = b""
    with socket.create_connection(("127.0.0.1", api.port), timeout=20) as connection:
        for start in range(0, len(sent), PIECE):
            connection.sendall(sent[start : start + PIECE])
        while (until is None or until not in told) and (more := connection.recv(65536)):
            told += more
    return told


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"GET /" + b"x" * (HEAD_BYTES + 1), id="path"),
        pytest.param(START + MANY, id="headers"),
        pytest.param(CHUNKED + b"1\r\nx\r\n0\r\n" + MANY, id="trailers"),
    ],
)
def test_a_head_that_is_too_long_is_refused(api: ApiServer, sent: bytes) -> None:
    told = said(api, sent)
    assert b"HTTP/1.1 400 Bad Request" in told
    assert told.endswith(TOLD.encode())
    assert api.ask("GET", "/healthz").status_code == 200


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
    with suppress(ConnectionError):  # it is closed while more comes
        assert said(api, begun + b"x" * 2_000_000).endswith(TOLD.encode())
    assert api.ask("GET", "/healthz").status_code == 200


def test_a_long_head_is_read(api: ApiServer) -> None:
    value = b"x" * (HEAD_BYTES - 200)
    assert said(api, START + b"a: " + value + b"\r\n\r\n", until=b"}").startswith(b"HTTP/1.1 200")


def test_each_request_of_a_connection_is_measured_alone(api: ApiServer) -> None:
    one = START + b"a: " + b"x" * 30_000 + b"\r\n\r\n"
    last = START + b"Connection: close\r\n\r\n"
    assert said(api, one * 5 + last).count(b"HTTP/1.1 200") == 6


def test_what_is_no_request_is_refused(api: ApiServer) -> None:
    told = said(api, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
    assert told.startswith(b"HTTP/1.1 400 Bad Request")
    assert TOLD.encode() not in told
