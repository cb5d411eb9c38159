"""Blobs over HTTP: for workers on other hosts, whole or not at all."""

import hashlib
import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from storage.record import Record
from tests.api.server import ApiServer


@pytest.fixture
def worker(api_record: Record, api: ApiServer) -> Iterator[str]:
    """The token of an invited host."""
    name = f"guest_{secrets.token_hex(4)}"
    yield api_record.guests.admit(name, datetime.now(UTC) + timedelta(days=1))
    api_record.guests.dismiss(name)


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("size", [0, 1000, 2_500_000])
def test_what_is_put_is_what_is_got(api: ApiServer, worker: str, size: int) -> None:
    data = os.urandom(size)
    path = f"/v1/blobs/{sha256_of(data)}"
    if size:  # of no bytes there is one blob, whoever has put it
        assert api.ask("HEAD", path, token=worker).status_code == 404
    for _ in range(2):
        assert api.ask("PUT", path, token=worker, data=data).status_code == 204
    assert api.ask("HEAD", path, token=worker).status_code == 200
    answer = api.ask("GET", path, token=worker)
    assert (answer.status_code, answer.content) == (200, data)
    assert answer.headers["Content-Length"] == str(size)


@pytest.mark.parametrize(
    ("wanted", "status", "start", "end"),
    [
        ("bytes=0-9", 206, 0, 10),
        ("bytes=990-2000", 206, 990, 1000),
        ("bytes=1000-1001", 416, 0, 0),
        ("bytes=5-4", 416, 0, 0),
        ("bytes=0-1,5-6", 200, 0, 1000),
        ("pages=0-1", 200, 0, 1000),
    ],
)
def test_a_range_is_a_part_and_what_is_no_range_is_the_whole(
    api: ApiServer, worker: str, wanted: str, status: int, start: int, end: int
) -> None:
    data = bytes(range(250)) * 4
    path = f"/v1/blobs/{sha256_of(data)}"
    assert api.ask("PUT", path, token=worker, data=data).status_code == 204
    answer = api.ask("GET", path, token=worker, headers={"Range": wanted})
    assert (answer.status_code, answer.content) == (status, data[start:end])


def test_other_bytes_than_named_are_refused_and_not_stored(api: ApiServer, worker: str) -> None:
    named = sha256_of(b"named")
    answer = api.ask("PUT", f"/v1/blobs/{named}", token=worker, data=b"other")
    assert answer.status_code == 400
    assert sha256_of(b"other") in answer.json()["detail"]
    assert api.ask("GET", f"/v1/blobs/{named}", token=worker).status_code == 404


def test_more_than_the_limit_is_refused(api: ApiServer, worker: str) -> None:
    data = os.urandom(3_000_001)
    assert api.ask("PUT", f"/v1/blobs/{sha256_of(data)}", token=worker, data=data).status_code == 413


@pytest.mark.parametrize("name", ["x", "..", "A" * 64, "0" * 63, "0" * 64 + "/x", "%2e%2e%2fsecrets.json"])
def test_what_is_no_sha256_is_no_path(api: ApiServer, worker: str, name: str) -> None:
    assert api.ask("GET", f"/v1/blobs/{name}", token=worker).status_code in (401, 404, 422)


def test_a_host_removes_nothing_not_even_what_it_has_put(
    api: ApiServer, api_record: Record, worker: str
) -> None:
    """Its bytes may be a cutout's, for which another has got a 202 since."""
    data = os.urandom(20)
    path = f"/v1/blobs/{sha256_of(data)}"
    assert api.ask("PUT", path, token=worker, data=data).status_code == 204
    assert api.ask("DELETE", path, token=worker).status_code == 405
    assert api_record.blobs.get(sha256_of(data)) == data


def test_other_accounts_read_no_blobs_and_hosts_read_nothing_else(
    api: ApiServer, api_record: Record, worker: str
) -> None:
    mark = api_record.check_blobs()
    api_record.accounts.add("viewer-of-blobs", "its password", "viewer")
    viewer = api_record.accounts.log_in("viewer-of-blobs", "its password", days=1)
    assert api.ask("GET", f"/v1/blobs/{mark}", token=viewer).status_code == 403
    assert api.ask("GET", f"/v1/blobs/{mark}", token="da_x").status_code == 401
    for path in ("/v1/jobs", "/v1/tokens", "/v1/blobs", "/openapi.json"):
        assert api.ask("GET", path, token=worker).status_code == 401
    over = api_record.guests.admit("guest_of_yesterday", datetime.now(UTC) - timedelta(days=1))
    assert api.ask("GET", f"/v1/blobs/{mark}", token=over).status_code == 401
