"""Readers of a night: names, tables, ADES documents, tarballs, prefixes."""

import gzip
import io
import tarfile
from pathlib import Path

import fsspec
import pytest

from core.errors import InvalidRequest, NotFound, TooLarge, Unsafe
from core.filters.fields import FIELDS, Kind
from core.settings import Limits, References
from cutouts.nights import (
    METADATA,
    Fault,
    FileKind,
    Row,
    TarMember,
    kind_of,
    list_prefix,
    night_in,
    plain_name,
    read_ades,
    read_table,
    read_tar,
)
from cutouts.nights.position import coordinates, midpoint
from cutouts.simulator import write_night
from tests.nights import ADES, ID, NIGHT, metadata, table

NAME = f"meta/{NIGHT}/ztf_{NIGHT}_streaks.txt"


def read(text: str | bytes, *, night: str = NIGHT) -> tuple[list[Row], list[Fault]]:
    data = text.encode() if isinstance(text, str) else text
    found = list(read_table(io.BytesIO(data), NAME, night=night))
    return [f for f in found if isinstance(f, Row)], [f for f in found if isinstance(f, Fault)]


def test_names_tell_what_a_file_is_and_of_which_night() -> None:
    assert kind_of(f"stamps/stamps_{NIGHT}/{ID}_scimref.jpg") is FileKind.CUTOUT
    assert kind_of(f"{ID}.FITS.gz") is FileKind.CUTOUT
    assert kind_of(f"a\\b\\{ID}_ades.xml") is FileKind.ADES
    assert kind_of(NAME) is FileKind.TABLE
    assert kind_of("night.tar.gz") is FileKind.ARCHIVE
    assert kind_of("__MACOSX/._x.jpg") is FileKind.LITTER
    assert {kind_of(n) for n in ("truth.csv", f"{ID}_ref.jpg", "a.jpg", "x_streaks.txt", "")} == {
        FileKind.OTHER
    }
    assert night_in(f"stamps/stamps_20200101/{ID}_scimref.jpg") == NIGHT
    assert night_in("meta/20200101/ztf_x_streaks.txt") == "20200101"
    assert night_in("ztf_20200101_streaks.txt") == "20200101"
    assert night_in("meta/20201399/ztf_streaks.txt") is None
    assert plain_name(f"/home/me/x/{NAME}") == plain_name(NAME) == NAME
    assert plain_name("x/y/z.txt") == "z.txt"


def test_a_simulated_table_is_read_row_by_row(tmp_path: Path) -> None:
    truths = write_night(tmp_path, "sample", count=24, seed=3)
    rows, faults = read((tmp_path / NAME).read_bytes())
    assert faults == []
    assert [row.id for row in rows] == [truth.name for truth in truths]
    assert [row.line for row in rows] == list(range(3, 27))
    for row in rows:
        assert f"strkid{row.values['streakid']}_pid{row.values['pid']}" == row.id
        assert row.values["jd"] == pytest.approx(2458428.5, abs=1)
        assert min(row.values["ra1"], row.values["ra2"]) - 1e-6 <= row.values["ra"]
        assert set(row.values) <= set(METADATA)
        for key, value in row.values.items():
            wanted = str if key in FIELDS and FIELDS[key].kind is not Kind.NUMBER else float
            assert key == "midpoint_coordinates" or type(value) is wanted


def test_each_malformed_line_is_named_with_its_number_and_the_others_are_read() -> None:
    bad = [
        metadata(1, jd="yesterday"),
        metadata(2, ra1="361.0"),
        metadata(3, dec2="nan", flux="inf"),
        metadata(4, streakid=""),
        metadata(5, pid="12"),
        metadata(6, fid="0x1"),
        metadata(7, length="1_0"),
        metadata(8, programpi="a\x00b"),
    ]
    text = table([metadata(0), *bad, metadata(9)])
    lines = text.splitlines()
    lines[-1:] = ["|" * 36, "a | b", "x" * 200_000, "\ufffd\x80|" * 36, "", "(13 rows)"]
    rows, faults = read("\n".join(lines) + "\n")
    assert [row.line for row in rows] == [3, 12]
    assert [(f.line, f.reason) for f in faults if f.reason == "malformed"] == [
        *((line, "malformed") for line in range(4, 12)),
        *((line, "malformed") for line in (13, 14, 15, 16)),
    ]
    details = [fault.detail for fault in faults]
    assert "jd is 'yesterday'; expected a finite number" in details[0]
    assert "ra1 is 361.0; expected 0 to 360 degrees" in details[1]
    assert "flux is 'inf'" in details[2]
    assert faults[-1] == Fault(NAME, 18, "row_count", "the footer says 13 rows; 14 came before it")


def test_an_empty_value_is_not_there() -> None:
    rows, faults = read(table([metadata(0, ra1="", flux="null", bg="NaN")]))
    assert faults == []
    assert not {"ra1", "flux", "bg", "ra", "dec", "midpoint_coordinates"} & set(rows[0].values)


def test_a_table_that_is_cut_short_says_so_and_its_last_line_is_not_believed() -> None:
    whole = table([metadata(0), metadata(1)])
    cut = whole[: whole.index("(2 rows)") - 4]
    rows, faults = read(cut)
    assert [row.line for row in rows] == [3]
    assert [(f.line, f.reason) for f in faults] == [(4, "malformed"), (5, "no_footer")]
    assert read(whole.removesuffix("\n"))[1] == []


@pytest.mark.parametrize("text", ["", "\n", "hello\n", "jd | pid\n", "streakid|pid|pid\n", "\x89PNG\r\n"])
def test_what_is_no_table_is_one_fault(text: str) -> None:
    rows, faults = read(text)
    assert rows == []
    assert [(f.line, f.reason) for f in faults] == [(1, "not_a_table")]


def test_columns_may_come_in_any_order_and_those_that_are_not_known_are_told() -> None:
    streakid, pid = ID.removeprefix("strkid").split("_pid")
    rows, faults = read(f"seeing|pid|streakid|jd\n-+-\n2.0|{pid}|{streakid}|2458428.5\n(1 row)\n")
    assert rows[0].values == {"pid": pid, "streakid": streakid, "jd": 2458428.5}
    assert [(f.line, f.reason) for f in faults] == [(1, "unknown_columns")]
    assert "'seeing'" in faults[0].detail


def test_a_row_of_another_night_is_told() -> None:
    rows, faults = read(table([metadata(0)]), night="20181107")
    assert rows == []
    assert faults[0].reason == "other_night"
    assert NIGHT in faults[0].detail


def test_tables_that_were_put_after_each_other_are_read() -> None:
    rows, faults = read(table([metadata(0)]) + table([metadata(1), metadata(2)]))
    assert (len(rows), faults) == (3, [])


def test_the_name_of_the_image_tells_field_and_ccd() -> None:
    image = "ztf_20181106093830_000355_zr_c04_o_q2_scimrefdiffimg.fits"
    rows, _ = read(table([metadata(0, pdiffimfilename=image)]))
    assert (rows[0].values["field"], rows[0].values["ccdid"]) == (355.0, 4.0)
    assert "field" not in read(table([metadata(0)]))[0][0].values


def test_the_middle_of_a_streak() -> None:
    assert midpoint(10, 0, 20, 0) == pytest.approx((15, 0))
    assert midpoint(359, 0, 3, 0) == pytest.approx((1, 0))
    assert (midpoint(0, 80, 180, 80) or (0, 0))[1] == pytest.approx(90)
    assert midpoint(0, 0, 180, 0) is None
    assert midpoint(360, 0, 360, 0) == pytest.approx((0, 0), abs=1e-9)
    found = coordinates(187.70593, -12.391, 58428.25)
    assert found["radec_str"] == ["12:30:49.4232", "-12:23:27.600"]
    assert found["radec_geojson"] == {"type": "Point", "coordinates": [187.70593 - 180, -12.391]}
    assert found["radec_deg"] == [187.70593, -12.391]
    assert coordinates(14.9999999999, 59.9999999999, None)["radec_str"] == ["01:00:00.0000", "60:00:00.000"]


def test_an_ades_document_is_read_as_the_predecessors_did() -> None:
    document = read_ades(ADES)
    assert document["version"] == "2017"
    optical = document["obsBlock"]["obsData"]["optical"]
    assert [o["ra"] for o in optical] == ["215.6560501", "215.6561"]
    assert document["obsBlock"]["obsContext"]["observatory"] == {"mpcCode": "I41"}
    assert document["obsBlock"]["obsContext"]["comment"] is None


BOMB = b'<!DOCTYPE ades [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><ades><x>&b;</x></ades>'


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not XML"),
        (b"<ades><x></ades>", "not XML"),
        (ADES[:-10], "not XML"),
        (b"<kml><x/></kml>", "the root is 'kml'"),
        (b"<ades/>", "expected <ades> with observations"),
        (BOMB, "document type"),
        (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><ades><x/></ades>', "document type"),
        (b"<ades>" + b"<a>" * 100 + b"</a>" * 100 + b"</ades>", "in each other"),
        (b"<ades>" + b"<a/>" * 10_001 + b"</ades>", "elements"),
        (b"<ades><a.b/></ades>", "a dot"),
        (b'<?xml version="1.0" encoding="nonsense"?><ades><a/></ades>', "not XML"),
        (b"<ades>" + b" " * 2**20 + b"</ades>", "at most"),
        (b"<ades><a>\x00</a></ades>", "not XML"),
    ],
)
def test_what_is_no_ades_document_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        read_ades(data)


def tarball(*members: tuple[str | tarfile.TarInfo, bytes], mode: str = "w:gz") -> io.BytesIO:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in members:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    file.seek(0)
    return file


def unpacked(file: io.BytesIO, *, most: int = 10**6, **limits: int) -> list[TarMember]:
    return list(read_tar(file, Limits(**limits), max_bytes=lambda _: most))


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tarball_gives_its_files_and_names_those_that_are_too_large(mode: str) -> None:
    folder = tarfile.TarInfo("night")
    folder.type = tarfile.DIRTYPE
    whole = [(f"night/{n}.jpg", bytes([n]) * size) for n, size in enumerate((0, 1, 511, 512, 513, 70_000))]
    file = tarball((folder, b""), *whole, ("long/" + "x" * 300, b"long"), ("big", b"b" * 90_000), mode=mode)
    found = unpacked(file, most=80_000, unpack_ratio=10_000)
    assert [(m.name, m.data) for m in found[:-1]] == [*whole, ("long/" + "x" * 300, b"long")]
    assert found[-1].fault == Fault("big", None, "too_large", "90000 bytes; expected at most 80000")


def special(kind: bytes, name: str = "x", target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    "member",
    [
        tarfile.TarInfo("../x.jpg"),
        tarfile.TarInfo("/etc/x.jpg"),
        tarfile.TarInfo("C:\\x.jpg"),
        special(tarfile.SYMTYPE, target="/etc/passwd"),
        special(tarfile.LNKTYPE, target="y"),
        special(tarfile.FIFOTYPE),
        special(tarfile.CHRTYPE),
    ],
)
def test_a_tarball_that_is_not_to_be_trusted_is_refused(member: tarfile.TarInfo) -> None:
    with pytest.raises(Unsafe):
        unpacked(tarball((member, b"")))


def test_a_tarball_that_unpacks_to_too_much_is_refused_before_it_has() -> None:
    zeros = tarball(*((f"{n}.jpg", bytes(900_000)) for n in range(30)))
    with pytest.raises(Unsafe, match="times its size"):
        unpacked(zeros)
    zeros.seek(0)
    with pytest.raises(Unsafe, match="over 5000000 bytes"):
        unpacked(zeros, unpacked_bytes=5_000_000, unpack_ratio=10**6)
    with pytest.raises(Unsafe, match="times its size"):
        unpacked(tarball(("one.jpg", bytes(50_000_000))))
    with pytest.raises(TooLarge, match="over 6 members"):
        unpacked(tarball(*((str(n), b"") for n in range(7))), cutouts_per_job=2)
    header = bytearray(tarball(("x" * 200, b""), mode="w").getvalue())
    huge = tarfile.TarInfo("pax")
    huge.type, huge.size = tarfile.XHDTYPE, 2**33
    with pytest.raises(Unsafe, match="a header of"):
        unpacked(io.BytesIO(huge.tobuf(tarfile.GNU_FORMAT) + bytes(header)))


def test_a_tarball_that_is_damaged_is_told() -> None:
    whole = tarball(*((f"{n}.jpg", bytes(range(256)) * 50) for n in range(4))).getvalue()
    plain = gzip.decompress(whole)
    for data in (
        b"",
        b"hello",
        whole[:-200],
        whole[:40],
        b"\x1f\x8b" + whole[:100],
        plain[:20_000],
        b"x" * 2000,
    ):
        with pytest.raises(InvalidRequest, match="expected a whole tarball"):
            unpacked(io.BytesIO(data), unpack_ratio=10**6)


def test_a_folder_is_listed_below_an_allowed_root_without_following_links(tmp_path: Path) -> None:
    root = tmp_path / "nights"
    (root / "n 1" / "stamps").mkdir(parents=True)
    (root / "n 1" / "stamps" / "a.jpg").write_bytes(b"a")
    (root / "n 1" / "b.txt").write_bytes(b"b")
    (root / "n 1" / "out").symlink_to(tmp_path)
    (tmp_path / "secret.jpg").write_bytes(b"s")
    policy = References(roots=(root,))
    listed = list_prefix(f"file://{root}/n%201", policy, most=5)
    assert listed == [f"file://{root}/n%201/b.txt", f"file://{root}/n%201/stamps/a.jpg"]
    with pytest.raises(TooLarge):
        list_prefix(f"file://{root}/n%201", policy, most=1)
    with pytest.raises(NotFound):
        list_prefix(f"file://{root}/none", policy, most=5)
    for prefix in (f"file://{tmp_path}", f"file://{root}/../", f"file://{root}/n%201/out", "s3://bucket/x"):
        with pytest.raises(Unsafe):
            list_prefix(prefix, policy, most=5)
    with pytest.raises(InvalidRequest, match="can't be listed"):
        list_prefix("https://example.org/", policy, most=5)


def test_a_bucket_is_listed_if_the_settings_name_it() -> None:
    fsspec.filesystem("memory").pipe_file("/nights/20181106/stamps/a.jpg", b"a")
    policy = References(schemes=("memory",), hosts=("nights",))
    assert list_prefix("memory://nights/20181106/", policy, most=5) == [
        "memory://nights/20181106/stamps/a.jpg"
    ]
    with pytest.raises(Unsafe):
        list_prefix("memory://others/20181106/", policy, most=5)
    with pytest.raises(NotFound):
        list_prefix("memory://nights/20181107/", policy, most=5)
