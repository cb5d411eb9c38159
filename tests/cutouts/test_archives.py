"""Uploaded archives: images come out, and nothing that is not to be trusted."""

import io
import stat
import struct
import tracemalloc
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from core.errors import InvalidRequest, TooLarge, Unsafe
from core.settings import Limits
from cutouts.archives import ImageArchive, Member
from tests.images import jpeg

LIMITS = Limits(cutout_bytes=200_000, cutouts_per_job=10, unpacked_bytes=1_000_000, unpack_ratio=200)


def zipped(
    members: Iterable[tuple[str | zipfile.ZipInfo, bytes]], compression: int = zipfile.ZIP_DEFLATED
) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return file.getvalue()


def images(data: bytes, limits: Limits = LIMITS) -> list[Member]:
    return list(ImageArchive(io.BytesIO(data), limits))


def test_an_archive_that_is_closed_while_it_is_read_has_no_damaged_members() -> None:
    file = io.BytesIO(zipped([("a.jpg", jpeg(1)), ("b.jpg", jpeg(2))]))
    members = iter(ImageArchive(file, LIMITS))
    assert next(members).data == jpeg(1)
    file.close()
    with pytest.raises(ValueError, match="closed file"):
        next(members)


def test_images_come_out_in_order_and_the_rest_is_named() -> None:
    data = zipped(
        [
            ("b.JPG", jpeg(1)),
            ("night/", b""),
            ("night/a.png", b"png"),
            ("night/truth.csv", b"x"),
            ("__MACOSX/night/._a.png", b"x"),
            (".DS_Store", b"x"),
            ("c.jpeg", b""),
        ]
    )
    archive = ImageArchive(io.BytesIO(data), LIMITS)
    assert [(member.name, member.data) for member in archive] == [
        ("b.JPG", jpeg(1)),
        ("night/a.png", b"png"),
        ("c.jpeg", b""),
    ]
    assert archive.ignored == ("night/truth.csv",)
    assert len(archive) == 3


@pytest.mark.parametrize(
    "name",
    [
        "../a.jpg",
        "x/../../a.jpg",
        "/a.jpg",
        "\\a.jpg",
        "..\\a.jpg",
        "C:\\a.jpg",
        "c:a.jpg",
        "x/..",
        "a\0.jpg",
        "\0a.jpg",
        "",
    ],
)
def test_a_name_that_leads_out_refuses_the_archive(name: str) -> None:
    info = zipfile.ZipInfo("placeholder")
    info.filename = name
    with pytest.raises(Unsafe, match="inside it"):
        images(zipped([("good.jpg", jpeg()), (info, b"x")]))


def test_a_symlink_refuses_the_archive() -> None:
    info = zipfile.ZipInfo("a.jpg")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(Unsafe, match="link"):
        images(zipped([(info, b"/etc/passwd")]))


def test_encryption_refuses_the_archive() -> None:
    data = bytearray(zipped([("a.jpg", b"x")]))
    directory = data.index(b"PK\x01\x02")
    data[6] |= 1
    data[directory + 8] |= 1
    with pytest.raises(Unsafe, match="encrypted"):
        images(bytes(data))


def test_an_unusual_compression_refuses_the_archive() -> None:
    with pytest.raises(InvalidRequest, match="compression 12"):
        images(zipped([("a.jpg", b"x")], zipfile.ZIP_BZIP2))


@pytest.mark.parametrize("data", [b"", b"hello", b"PK\x03\x04 and no more", jpeg()])
def test_what_is_not_a_zip_is_told(data: bytes) -> None:
    with pytest.raises(InvalidRequest, match="expected a zip file"):
        images(data)


def test_an_empty_zip_has_no_images() -> None:
    assert images(zipped([])) == []


def test_a_bomb_is_refused_by_its_ratio() -> None:
    with pytest.raises(Unsafe, match="bomb"):
        images(zipped([("a.jpg", bytes(150_000))]))


def test_a_bomb_is_refused_by_its_total() -> None:
    with pytest.raises(Unsafe, match="bomb"):
        images(zipped([(f"{n}.jpg", bytes(150_000)) for n in range(8)], zipfile.ZIP_STORED))


def test_a_bomb_that_lies_about_its_size_does_not_unpack() -> None:
    data = bytearray(zipped([("a.jpg", bytes(50_000_000))]))
    directory = data.index(b"PK\x01\x02")
    struct.pack_into("<L", data, 22, 1000)
    struct.pack_into("<L", data, directory + 24, 1000)
    tracemalloc.start()
    (member,) = images(bytes(data))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert member.data is None
    assert member.rejection is not None
    assert member.rejection.reason == "damaged"
    assert peak < 5_000_000


def test_members_that_share_bytes_are_refused() -> None:
    data = bytearray(zipped([("a.jpg", bytes(100)), ("b.jpg", bytes(100))], zipfile.ZIP_STORED))
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    struct.pack_into("<L", data, second + 42, 0)
    with pytest.raises(Unsafe, match="overlaps"):
        images(bytes(data))


def test_too_many_members_are_refused_before_they_are_taken_apart() -> None:
    with pytest.raises(TooLarge, match="over 10 members"):
        images(zipped([(f"{n}.txt", b"") for n in range(11)]))


def test_one_member_over_the_limit_is_rejected_alone() -> None:
    big, small = images(zipped([("a.jpg", bytes(200_001)), ("b.jpg", b"x")], zipfile.ZIP_STORED))
    assert big.data is None
    assert big.rejection is not None
    assert big.rejection.reason == "too_large"
    assert small.data == b"x"


def test_one_damaged_member_is_rejected_alone() -> None:
    data = bytearray(zipped([("a.jpg", b"first"), ("b.jpg", b"second")], zipfile.ZIP_STORED))
    data[data.index(b"first")] ^= 0xFF
    bad, good = images(bytes(data))
    assert bad.rejection is not None
    assert (bad.rejection.stage, bad.rejection.reason) == ("submit", "damaged")
    assert good.data == b"second"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"\xff\xfe.jpg", "its name beside the data is no UTF-8"),
        (b"z.jpg\0", "its name beside the data is another one"),
    ],
)
def test_one_member_whose_own_header_is_damaged_is_rejected_alone(field: bytes, value: str) -> None:
    data = bytearray(zipped([("ä.jpg", b"first"), ("b.jpg", b"second")], zipfile.ZIP_STORED))
    data[30 : 30 + len(field)] = field
    bad, good = images(bytes(data))
    assert bad.rejection is not None, value
    assert (bad.rejection.stage, bad.rejection.reason) == ("submit", "damaged")
    assert good.data == b"second"


@pytest.mark.parametrize("offset", [2**62, 2**63 + 1])
def test_one_member_that_is_said_to_lie_far_outside_is_rejected_alone(tmp_path: Path, offset: int) -> None:
    path = tmp_path / "far.zip"
    path.write_bytes(moved(zipped([("a.jpg", b"first"), ("b.jpg", b"second")], zipfile.ZIP_STORED), offset))
    with path.open("rb") as file:
        good, bad = ImageArchive(file, LIMITS)
    assert good.data == b"first"
    assert bad.rejection is not None
    assert bad.rejection.reason == "damaged"


def moved(data: bytes, offset: int) -> bytes:
    """The archive with its last member (called b.jpg) said to begin at an offset of 64 bits."""
    out = bytearray(data)
    last = out.rindex(b"PK\x01\x02")
    extra = struct.pack("<HHQ", 1, 8, offset)
    struct.pack_into("<H", out, last + 30, len(extra))
    struct.pack_into("<L", out, last + 42, 0xFFFFFFFF)
    out[last + 46 + 5 : last + 46 + 5] = extra
    end = out.rindex(b"PK\x05\x06")
    size = struct.unpack_from("<L", out, end + 12)[0]
    struct.pack_into("<L", out, end + 12, size + len(extra))
    return bytes(out)
