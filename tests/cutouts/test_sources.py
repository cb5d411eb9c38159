"""References: what is read, what is refused, and which failures are worth a retry."""

import ipaddress
import os
import time
import zipfile
from pathlib import Path

import pytest

from cli.local.ports import free_port
from core.errors import CutoutRejected, Unavailable, Unsafe
from core.settings import References
from cutouts.sources import check_reference, read_reference
from cutouts.sources import web as web_source
from cutouts.sources.addresses import is_global
from tests.cutouts.web_server import body, endless, web_server
from tests.images import jpeg

LOOPBACK = References(hosts=("127.0.0.1",), private_addresses=True)


def read(reference: str, policy: References, *, max_bytes: int = 100_000, timeout_s: float = 10) -> bytes:
    return read_reference(reference, policy, max_bytes=max_bytes, timeout_s=timeout_s)


def rejected(reference: str, policy: References, **limits: int) -> str:
    with pytest.raises(CutoutRejected) as caught:
        read(reference, policy, **limits)
    assert caught.value.stage == "fetch"
    return caught.value.reason


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    (tmp_path / "outside.jpg").write_bytes(jpeg(1))
    return tmp_path / "root"


@pytest.fixture
def inside(root: Path) -> References:
    return References(roots=(root,))


def test_the_defaults_allow_nothing(root: Path) -> None:
    (root / "a.jpg").write_bytes(jpeg())
    for reference in ((root / "a.jpg").as_uri(), "http://example.com/a.jpg", "s3://bucket/a.jpg"):
        with pytest.raises(Unsafe, match="allowed"):
            check_reference(reference, References())
        assert rejected(reference, References()) == "not_allowed"


def test_a_file_below_an_allowed_folder_is_read(root: Path, inside: References) -> None:
    (root / "night 1").mkdir()
    (root / "night 1" / "a.jpg").write_bytes(jpeg(7))
    reference = (root / "night 1" / "a.jpg").as_uri()
    check_reference(reference, inside)
    assert read(reference, inside) == jpeg(7)


def test_a_file_elsewhere_is_refused_however_it_is_called(root: Path, inside: References) -> None:
    (root / "link.jpg").symlink_to(root.parent / "outside.jpg")
    (root / "folder").symlink_to(root.parent)
    outside = [
        f"file://{root}/../outside.jpg",
        f"file://{root}/%2e%2e/outside.jpg",
        f"file://{root}/link.jpg",
        f"file://{root}/folder/outside.jpg",
        f"file://elsewhere{root}/a.jpg",
        f"file://{root}-2/a.jpg",
        "file:relative.jpg",
        f"zip://a.jpg::file://{root}/../a.zip",
        "zip://a.jpg::http://example.com/a.zip",
        "zip://a.jpg",
    ]
    for reference in outside:
        with pytest.raises(Unsafe):
            check_reference(reference, inside)
        assert rejected(reference, inside) == "not_allowed"


def test_what_is_no_plain_file_is_rejected_without_waiting(root: Path, inside: References) -> None:
    os.mkfifo(root / "pipe.jpg")
    assert rejected(f"file://{root}/pipe.jpg", inside) == "not_a_file"
    assert rejected(f"zip://a.jpg::file://{root}/pipe.jpg", inside) == "not_a_file"
    assert rejected(f"file://{root}", inside) == "not_a_file"
    assert rejected(f"file://{root}/missing.jpg", inside) == "not_found"


def test_a_file_over_the_limit_is_rejected(root: Path, inside: References) -> None:
    (root / "a.jpg").write_bytes(bytes(1001))
    assert rejected(f"file://{root}/a.jpg", inside, max_bytes=1000) == "too_large"
    assert len(read(f"file://{root}/a.jpg", inside, max_bytes=1001)) == 1001


def test_a_member_of_a_zip_is_read(root: Path, inside: References) -> None:
    with zipfile.ZipFile(root / "night.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("stamps/a b.jpg", jpeg(3))
        archive.writestr("bomb.jpg", bytes(10_000_000))
    archive_url = (root / "night.zip").as_uri()
    check_reference(f"zip://stamps/a b.jpg::{archive_url}", inside)
    assert read(f"zip://stamps/a b.jpg::{archive_url}", inside) == jpeg(3)
    assert rejected(f"zip://missing.jpg::{archive_url}", inside) == "not_found"
    assert rejected(f"zip://bomb.jpg::{archive_url}", inside) == "too_large"
    (root / "night.zip").write_bytes(b"no longer a zip")
    assert rejected(f"zip://stamps/a b.jpg::{archive_url}", inside) == "damaged"


def test_a_member_whose_own_name_is_no_utf8_is_damaged(root: Path, inside: References) -> None:
    with zipfile.ZipFile(root / "night.zip", "w") as archive:
        archive.writestr("ä.jpg", jpeg(3))
    data = bytearray((root / "night.zip").read_bytes())
    data[30:32] = b"\xff\xfe"
    (root / "night.zip").write_bytes(data)
    assert rejected(f"zip://ä.jpg::{(root / 'night.zip').as_uri()}", inside) == "damaged"


def test_a_member_that_is_said_to_lie_before_the_archive_is_damaged(root: Path, inside: References) -> None:
    with zipfile.ZipFile(root / "night.zip", "w") as archive:
        archive.writestr("a.jpg", b"first")
    data = (root / "night.zip").read_bytes()
    (root / "night.zip").write_bytes(data[7:])  # its beginning was lost: all offsets are 7 bytes too large
    assert rejected(f"zip://a.jpg::{(root / 'night.zip').as_uri()}", inside) == "damaged"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "192.0.0.8",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001:0:7f00:1::",
    ],
)
def test_no_address_of_a_private_network_is_global(address: str) -> None:
    assert not is_global(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "131.215.193.1", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_are_global(address: str) -> None:
    assert is_global(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "reference", ["http://localhost/a", "http://127.1/a", "http://2130706433/a", "http://[::1]/a"]
)
def test_a_private_address_is_refused_in_every_spelling(reference: str) -> None:
    with pytest.raises(Unsafe, match="private address"):
        check_reference(reference, References(hosts=("*",)))
    assert rejected(reference, References(hosts=("*",))) == "not_allowed"


def test_only_hosts_that_are_named_are_allowed() -> None:
    policy = References(hosts=("cutouts.example.org",), private_addresses=True)
    for reference in (
        "http://example.org/a",
        "http://cutouts.example.org.evil.net/a",
        "http:///a",
        "http://x@",
    ):
        with pytest.raises(Unsafe):
            check_reference(reference, policy)
    check_reference("https://CUTOUTS.example.org./a", policy)


def test_a_picture_is_fetched_with_the_hosts_name() -> None:
    with web_server({"/a%20b.jpg?x=1": body(jpeg(5))}) as (url, asked):
        assert read(f"{url}/a b.jpg?x=1", LOOPBACK) == jpeg(5)
    assert asked[0]["Host"] == url.removeprefix("http://")


def test_the_address_that_was_checked_is_the_one_that_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[str] = []

    def name_server(host: str, port: int) -> list[ipaddress.IPv4Address]:
        looked_up.append(host)
        return [ipaddress.IPv4Address("127.0.0.1")]

    monkeypatch.setattr(web_source, "addresses_of", name_server)
    policy = References(hosts=("cutouts.example.org",), private_addresses=True)
    with web_server({"/a.jpg": body(b"bytes")}) as (url, asked):
        port = url.rpartition(":")[2]
        assert read(f"http://cutouts.example.org:{port}/a.jpg", policy) == b"bytes"
    assert looked_up == ["cutouts.example.org"]  # once: a second look might find another address
    assert asked[0]["Host"] == f"cutouts.example.org:{port}"


def test_redirects_are_followed_where_they_are_allowed_and_no_further() -> None:
    answers = {
        "/a": body(b"", status=302, Location="/b"),
        "/b": body(b"there"),
        "/away": body(b"", status=301, Location="http://example.org/x.jpg"),
        "/file": body(b"", status=301, Location="file:///etc/passwd"),
        "/loop": body(b"", status=307, Location="/loop"),
    }
    with web_server(answers) as (url, asked):
        assert read(f"{url}/a", LOOPBACK) == b"there"
        assert rejected(f"{url}/away", LOOPBACK) == "not_allowed"
        assert rejected(f"{url}/file", LOOPBACK) == "not_allowed"
        before = len(asked)
        assert rejected(f"{url}/loop", LOOPBACK) == "too_many_redirects"
        assert len(asked) == before + 4


@pytest.mark.parametrize(("status", "reason"), [(404, "not_found"), (410, "not_found"), (403, "http_status")])
def test_what_a_retry_can_not_mend_is_a_rejection(status: int, reason: str) -> None:
    with web_server({"/a": body(b"", status=status)}) as (url, _):
        assert rejected(f"{url}/a", LOOPBACK) == reason


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_a_retry_may_mend_is_unavailable(status: int) -> None:
    with web_server({"/a": body(b"", status=status)}) as (url, _), pytest.raises(Unavailable):
        read(f"{url}/a", LOOPBACK)


def test_a_refused_connection_and_an_unknown_host_are_unavailable() -> None:
    with pytest.raises(Unavailable):
        read(f"http://127.0.0.1:{free_port()}/a", LOOPBACK)
    with pytest.raises(Unavailable):
        read("http://nobody.invalid/a", References(hosts=("*",)))
    check_reference("http://nobody.invalid/a", References(hosts=("*",)))


def test_a_body_over_the_limit_is_rejected_by_its_length_and_by_its_count() -> None:
    with web_server({"/stated": body(bytes(2000)), "/not": endless}) as (url, _):
        assert rejected(f"{url}/stated", LOOPBACK, max_bytes=1000) == "too_large"
        assert rejected(f"{url}/not", LOOPBACK, max_bytes=3) == "too_large"


def test_a_body_that_ends_early_is_unavailable_and_not_half_a_picture() -> None:
    with web_server({"/a": body(b"half", length=8)}) as (url, _), pytest.raises(Unavailable):
        read(f"{url}/a", LOOPBACK)


def test_a_slow_server_is_given_the_whole_timeout_and_no_more() -> None:
    with web_server({"/slow": endless}) as (url, _):
        began = time.monotonic()
        with pytest.raises(Unavailable, match="no whole answer"):
            read(f"{url}/slow", LOOPBACK, timeout_s=0.5)
        assert time.monotonic() - began < 3


def test_a_compressed_body_is_rejected() -> None:
    with web_server({"/a": body(b"zipped", Content_Encoding="gzip")}) as (url, _):
        assert rejected(f"{url}/a", LOOPBACK) == "encoded"


def test_another_scheme_is_read_only_when_it_and_its_bucket_are_allowed() -> None:
    import fsspec

    fsspec.filesystem("memory").pipe_file("/bucket/a.jpg", b"bytes")
    policy = References(schemes=("memory",), hosts=("bucket",))
    assert read("memory://bucket/a.jpg", policy) == b"bytes"
    assert rejected("memory://bucket/b.jpg", policy) == "not_found"
    assert rejected("memory://other/a.jpg", policy) == "not_allowed"
    assert rejected("memory://bucket/a.jpg", References(hosts=("bucket",))) == "not_allowed"
    assert rejected("memory://bucket/a.jpg", policy, max_bytes=4) == "too_large"


def test_long_and_unprintable_references_are_refused() -> None:
    for reference in ("http://example.org/" + "x" * 3000, "http://example.org/\n", "\t"):
        with pytest.raises(Unsafe, match="printable"):
            check_reference(reference, References(hosts=("*",)))
