"""Cutouts out of full images: the right pixels, the right way up, with ids and positions; and what can't."""

import csv
import gzip
import io
import json
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from PIL import Image

from bench.full_image import catalogue, full_image, written
from cli.__main__ import main
from cutouts.decode import decode_checked
from cutouts.full_images import mjd_of, open_full_image
from cutouts.full_images.names import image_name, pid_of, streak_name
from cutouts.names import streak_id
from cutouts.nights import Row, read_table
from tests.fits_files import noise

PROFILE = {"arcsec_per_px": 1.6, "fwhm_arcsec": 3.2, "exposure_s": 30.0}
NIGHT = "20261120"
Cut = Callable[..., tuple[int, dict[str, Any], str]]
Rows = list[dict[str, str]]


@pytest.fixture
def cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cut:
    """Run the verb on an image and a table; returns its status, what it printed and what it said."""
    monkeypatch.setenv("DA_CALLER_CWD", str(tmp_path))
    monkeypatch.setenv("DA_INSTRUMENTS", json.dumps({"wide": PROFILE}))

    def run(
        image: bytes, table: str | bytes, *words: str, instrument: str = "wide", name: str = "diff.fits"
    ) -> tuple[int, Any, str]:
        (tmp_path / name).write_bytes(image)
        (tmp_path / "table").write_bytes(table if isinstance(table, bytes) else table.encode())
        asked = ["cut", name, "--catalog", "table", "-o", "out", "--json", "--instrument", instrument]
        status = main([*asked, *words])
        said = capsys.readouterr()
        return status, json.loads(said.out), said.err

    return run


def small(*, side: int = 400, scale_arcsec: float = 1.6) -> "fits.PrimaryHDU":
    """White noise with a WCS whose north is up and east to the left, and a time."""
    unit = fits.PrimaryHDU(noise(7, height=side, width=side))
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [10.0, 60.0]
    wcs.wcs.crpix, wcs.wcs.cdelt = [side / 2, side / 2], [-scale_arcsec / 3600, scale_arcsec / 3600]
    unit.header.update(wcs.to_header())
    unit.header.update({"DATE-OBS": "2026-11-20T03:12:45", "EXPTIME": 30.0})
    return unit


def rows_of(folder: Path) -> Rows:
    return list(csv.DictReader(io.StringIO((folder / "out" / "diff_cutouts.csv").read_text("utf-8"))))


def reasons(told: dict[str, Any]) -> list[str | None]:
    return [row["rejection"] and row["rejection"]["reason"] for row in told["rows"]]


def wcs_of(row: dict[str, str]) -> WCS:
    header = fits.Header()
    for key in ("ctype1", "ctype2"):
        header[key.upper()] = row[key]
    for key in ("crpix1", "crpix2", "crval1", "crval2", "cd1_1", "cd1_2", "cd2_1", "cd2_2"):
        header[key.upper()] = float(row[key])
    return WCS(header)


@pytest.mark.parametrize("on_sky", [True, False])
def test_every_streak_is_in_the_middle_of_its_picture_with_its_id_and_position(
    cut: Cut, tmp_path: Path, on_sky: bool
) -> None:
    unit, streaks = full_image(3)
    status, told, _ = cut(written(unit), catalogue(streaks, on_sky=on_sky))
    assert (status, told["cut"], told["rejected"]) == (0, 20, 0)
    for streak, row in zip(streaks, rows_of(tmp_path), strict=True):
        picture = np.asarray(Image.open(tmp_path / "out" / row["file"]))
        assert picture.shape == (157, 157)
        assert picture.dtype == np.uint8
        y, x = np.nonzero(picture[48:109, 48:109] < 204 - 5 * 20.4)
        if len(x) > 20:  # bright enough to be seen without a network
            assert np.hypot(x.mean() - 30, y.mean() - 30) < 20
        assert row["catalogue_id"] == streak.id
        assert float(row["ra"]) == pytest.approx(streak.ra, abs=1e-6)
        assert float(row["dec"]) == pytest.approx(streak.dec, abs=1e-6)
        assert float(row["x"]) == pytest.approx(streak.x + 1, abs=0.01)
        decoded = decode_checked((tmp_path / "out" / row["file"]).read_bytes(), recipes=["deepstreaks-1"])
        assert {d.quantity for d in decoded.departures} <= {"noise_correlation"}  # wide pixels leave some


def test_the_table_of_the_night_has_what_a_night_needs(cut: Cut, tmp_path: Path) -> None:
    unit, streaks = full_image(3, streaks=2)
    table = "ID;RA;DEC;flux;note\n" + "".join(
        f"{n + 7};{s.ra};{s.dec};12.5;x\n" for n, s in enumerate(streaks)
    )
    assert cut(written(unit), table)[0] == 0
    path = tmp_path / "out" / "meta" / NIGHT / f"ztf_{NIGHT}_diff_streaks.txt"
    rows = list(read_table(io.BytesIO(path.read_bytes()), path.name, night=NIGHT))
    assert all(isinstance(row, Row) for row in rows), rows
    first = rows[0]
    assert isinstance(first, Row)
    assert (tmp_path / "out" / "stamps" / f"stamps_{NIGHT}" / f"{first.id}_scimref.png").is_file()
    assert first.values["ra"] == pytest.approx(streaks[0].ra, abs=1e-6)
    assert first.values["strid"] == 7
    assert first.values["flux"] == 12.5
    assert first.values["endmjd"] - first.values["startmjd"] == pytest.approx(30 / 86400, abs=1e-7)
    assert first.values["pdiffimfilename"] == "diff.fits"


@pytest.mark.parametrize("angle_deg", [0.0, 70.0, 160.0, 250.0])
def test_north_is_up_and_the_wcs_of_a_picture_is_that_of_the_image(
    cut: Cut, tmp_path: Path, angle_deg: float
) -> None:
    unit, streaks = full_image(3, streaks=1, angle_deg=angle_deg)
    star = streaks[0].x + 20, streaks[0].y + 11
    unit.data[star[1] - 1 : star[1] + 2, star[0] - 1 : star[0] + 2] += 13 * 500
    assert cut(written(unit), catalogue(streaks, on_sky=False))[0] == 0
    (row,) = rows_of(tmp_path)
    picture = np.asarray(Image.open(tmp_path / "out" / row["file"])).astype(float)
    cd = np.array([[float(row[f"cd{i}_{j}"]) for j in (1, 2)] for i in (1, 2)])
    assert cd[0, 0] < 0 > cd[1, 1]  # to the right is west, down is south
    assert abs(cd[0, 0]) > abs(cd[0, 1])
    assert np.sqrt(abs(np.linalg.det(cd))) * 3600 == pytest.approx(1.01, abs=0.005)
    ra, dec = WCS(unit.header).all_pix2world(*star, 0)
    x, y = wcs_of(row).all_world2pix(ra, dec, 0)
    black_y, black_x = np.nonzero(picture == 0)
    near = np.hypot(black_x - x, black_y - y) < 6
    assert near.sum() >= 9
    assert np.hypot(black_x[near].mean() - x, black_y[near].mean() - y) < 0.5


def test_a_packed_image_gives_the_same_pictures_as_a_plain_one(cut: Cut, tmp_path: Path) -> None:
    unit, table = small(), "id,x,y\na,200,200\n"
    packed = fits.CompImageHDU(unit.data, unit.header, compression_type="GZIP_2", quantize_level=0)
    pictures = []
    for name, image in (("plain", unit), ("packed", fits.HDUList([fits.PrimaryHDU(), packed]))):
        status, told, _ = cut(written(image), table, name=f"{name}.fits")
        assert status == 0
        (row,) = told["rows"]
        pictures.append((tmp_path / "out" / row["file"]).read_bytes())
    assert pictures[0] == pictures[1]


def test_a_gzipped_image_is_unpacked_once_however_many_stamps_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "unpacked").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "unpacked"))
    unit = small(side=1000)
    unit.writeto(tmp_path / "plain.fits")
    packed = tmp_path / "diff.fits.gz"
    packed.write_bytes(gzip.compress(written(unit), 1))
    with open_full_image(tmp_path / "plain.fits", max_bytes=2**30) as image:  # imports astropy
        expected = image.read(450, 450, 101)
    began = time.process_time()
    with open_full_image(packed, max_bytes=2**30) as image:
        opened = time.process_time()
        for _ in range(5):
            assert np.array_equal(image.read(450, 450, 101), expected)
        read = time.process_time()
        assert len(list((tmp_path / "unpacked").iterdir())) == 1
    assert read - opened < opened - began  # each read took as long as the opening
    assert not list((tmp_path / "unpacked").iterdir())


def test_a_gzipped_image_that_is_damaged_or_unpacks_to_too_much_is_refused(
    cut: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed, table = gzip.compress(written(small()), 1), "id,x,y\n1,200,200\n"
    assert cut(packed, table)[0] == 0
    assert "is a damaged gzip (Compressed file ended" in cut(packed[:-5000], table)[1]["error"]
    damaged = packed[:9000] + b"\xff" * 400 + packed[9400:]
    assert "is a damaged gzip" in cut(damaged, table)[1]["error"]
    monkeypatch.setenv("DA_LIMITS", json.dumps({"unpacked_bytes": 100_000}))
    assert "unpacks to over 100000 bytes" in cut(packed, table)[1]["error"]


def test_cutting_again_gives_the_same_names_and_bytes_whatever_the_order(cut: Cut, tmp_path: Path) -> None:
    def files() -> dict[str, bytes]:
        return {p.name: p.read_bytes() for p in (tmp_path / "out" / "stamps").rglob("*.png")}

    data = written(small())
    cut(data, "id,x,y\na,200,200\nb,100,100\n")
    first = files()
    cut(data, "id,x,y\nb,100,100\na,200,200\n")
    assert len(first) == 2
    assert files() == first


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_another_image_of_the_same_name_is_refused_and_the_first_ones_files_stay(
    cut: Cut, tmp_path: Path
) -> None:
    first, other, table = small(), small(), "id,x,y\n1,200,200\n2,100,150\n"
    other.data = other.data[::-1].copy()
    assert cut(written(first), table)[0] == 0
    before = files_in(tmp_path / "out")
    status, told, _ = cut(written(other), "id,x,y\n1,150,250\n")
    assert status == 1
    assert "diff_cutouts.csv is of another image, exposure or instrument" in told["error"]
    assert files_in(tmp_path / "out") == before
    (tmp_path / "out" / "diff_cutouts.csv").write_text("catalogue_id,id\n1,2\n")
    assert "(not told)" in cut(written(first), table)[1]["error"]
    (tmp_path / "out" / "diff_cutouts.csv").unlink()
    cut(written(first), table)
    assert files_in(tmp_path / "out") == before


def test_a_picture_of_another_place_under_the_same_id_is_refused_and_the_first_stays(
    cut: Cut, tmp_path: Path
) -> None:
    own = "strkid36101338575150001_pid3610133857515"
    assert cut(written(small()), f"id,x,y\n{own},200,200\n")[0] == 0
    (picture,) = (tmp_path / "out").rglob("*.png")
    before = picture.read_bytes()
    status, told, _ = cut(written(small()), f"id,x,y\n{own},150,250\n1,150,250\n", name="other.fits")
    assert status == 3
    assert reasons(told) == ["duplicate_id", None]
    assert "is there with another picture, and was left" in told["rows"][0]["rejection"]["detail"]
    assert picture.read_bytes() == before


def test_a_row_that_gives_no_cutout_is_named_and_the_rest_goes_on(cut: Cut, tmp_path: Path) -> None:
    unit = small()
    unit.data[250:, 250:] = np.nan
    unit.data[:120, 280:] = 5.0
    table = (
        "id,x,y,flux\n1,100,200,\n2,-40,10,\n3,abc,10,\n,50,50,\n1,120,200,\n6,340,340,\n"
        "7,350,40,\n8,nan,3,\n9,1,1,\n10,200,200,many\n11,100,100,1|2\n12,100\n13,100,100,1,9\n14,210,210,3\n"
    )
    status, told, said = cut(written(unit), table)
    assert status == 3
    assert reasons(told) == [
        *(None, "off_image", "bad_position", "no_id", "duplicate_id", "masked", "flat", "bad_position"),
        *("masked", "malformed", "malformed", "malformed", "malformed", None),
    ]
    assert (told["cut"], told["rejected"]) == (2, 12)
    assert "row 2 (2): off_image, pixel (-40.0, 10.0); expected 1 to 400 and 1 to 400" in said
    assert "12 rows without a cutout in all: 4 malformed" in said
    assert Counter(row["reason"] for row in rows_of(tmp_path))[""] == 2


def test_a_place_near_the_edge_stays_in_the_middle_and_the_rest_is_grey(cut: Cut, tmp_path: Path) -> None:
    unit = small()
    assert cut(written(unit), "id,x,y\n1,30,200\n")[0] == 0
    picture = np.asarray(Image.open(next((tmp_path / "out").rglob("*.png"))))
    assert (picture[:, :30] == 204).all()
    assert picture[:, 40:].std() > 10


@pytest.mark.parametrize(
    ("ra", "dec"), [(190.0, -60.0), (10.0, -30.0), (100.0, 60.0), (10.0, 90.0), (11.0, 60.0)]
)
def test_a_position_elsewhere_on_the_sky_is_off_the_image(cut: Cut, ra: float, dec: float) -> None:
    _, told, _ = cut(written(small()), f"id,ra,dec\nfar,{ra},{dec}\nhere,10.0,60.0\n")
    assert reasons(told) == ["off_image", None]


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ({"CDELT1": 0.0}, "WCS is broken"),
        ({"PC1_1": 0.0, "PC2_2": 0.0}, "WCS is broken"),
        ({"CTYPE1": "RA---XYZ"}, "WCS"),
        ({"CTYPE1": "LINEAR", "CTYPE2": "LINEAR"}, "no WCS of the sky"),
        ({"CDELT1": -0.003}, "expected squares"),
        ({"CRVAL2": 400.0}, "WCS"),
        (
            {"RADESYS": "FK4", "EQUINOX": 1950.0},
            "gives RA and DEC, FK4 of 1950; expected RA and DEC, ICRS or",
        ),
        ({"RADESYS": "FK5", "EQUINOX": 2026.9}, "gives RA and DEC, FK5 of 2026.9; expected"),
        ({"RADESYS": None, "EQUINOX": 1950.0}, "gives RA and DEC, FK4 of 1950; expected"),
        ({"RADESYS": "GAPPT"}, "gives RA and DEC, GAPPT; expected"),
        ({"CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN"}, "gives GLON and GLAT"),
    ],
)
def test_a_broken_wcs_is_said_and_pixels_can_be_cut_without_it(
    cut: Cut, keywords: dict[str, object], expected: str
) -> None:
    unit = small()
    unit.header.update(keywords)
    data = written(unit)
    status, told, said = cut(data, "id,ra,dec\n1,10.0,60.0\n")
    assert status == 1
    assert expected in told["error"]
    status, told, said = cut(data, "id,x,y\n1,200,200\n")
    assert (status, told["rows"][0]["ra"]) == (0, None)
    assert "its cutouts get no positions" in said


@pytest.mark.parametrize(
    "frame", [{"RADESYS": "FK5"}, {"RADESYS": None}, {"RADESYS": None, "EQUINOX": 2000.0}]
)
def test_positions_of_2000_are_taken_whatever_their_frame_is_called(
    cut: Cut, frame: dict[str, object]
) -> None:
    unit = small()
    unit.header.update(frame)
    _, told, _ = cut(written(unit), "id,ra,dec\n1,10.0,60.0\n")
    assert (told["rows"][0]["x"], told["rows"][0]["y"]) == pytest.approx((200, 200), abs=1e-6)


def test_an_image_whose_first_axis_is_dec_is_cut_with_north_up(cut: Cut, tmp_path: Path) -> None:
    plain, turned = small(), small()
    turned.data = np.ascontiguousarray(plain.data.T)
    for key in ("CTYPE", "CRVAL", "CDELT"):
        turned.header[f"{key}1"], turned.header[f"{key}2"] = plain.header[f"{key}2"], plain.header[f"{key}1"]
    found = []
    for unit in (plain, turned):
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        assert cut(written(unit), "id,ra,dec\n1,10.05,60.02\n")[0] == 0
        (row,) = rows_of(tmp_path)
        found.append((row["ra"], row["dec"], (tmp_path / "out" / row["file"]).read_bytes()))
    assert found[0] == found[1]


def test_a_profile_that_contradicts_the_wcs_is_refused(cut: Cut) -> None:
    status, told, _ = cut(written(small()), "id,x,y\n1,200,200\n", instrument="ztf")
    assert status == 1
    assert "has 1.6 arcsec/px by its WCS, and the instrument ztf 1.01" in told["error"]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("x,y\n1,2\n", "has the columns x, y; expected id, and x and y or ra and dec"),
        ("id,ra\na,1\n", "has the columns id, ra; expected id"),
        ("id,x,y\n", "has a header and no rows"),
        ("", "begins with ''"),
        (b"\xff\xfe\x00", "no text in UTF-8"),
        (b"id,x,y\n\0,1,2\n", "zero bytes"),
        (written(fits.PrimaryHDU(noise())), "no table in it"),
    ],
)
def test_what_is_no_catalogue_is_refused(cut: Cut, table: str | bytes, expected: str) -> None:
    status, told, _ = cut(written(small()), table)
    assert status == 1
    assert expected in told["error"]


def test_a_catalogue_in_fits_and_columns_by_other_names_are_read(cut: Cut) -> None:
    columns = [
        fits.Column("NUMBER", "K", array=np.array([5, 6])),
        fits.Column("XWIN", "D", array=np.array([99.0, 199.0])),
        fits.Column("YWIN", "D", array=np.array([99.0, 199.0])),
    ]
    table = written(fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]))
    words = ("--columns", "x=XWIN,y=YWIN", "--from-zero")
    status, told, _ = cut(written(small()), table, *words)
    assert status == 0
    assert [(row["catalogue_id"], row["x"]) for row in told["rows"]] == [("5", 100.0), ("6", 200.0)]
    assert "no column 'XWON'" in cut(written(small()), table, "--columns", "x=XWON")[1]["error"]
    assert "--columns 'z=1'" in cut(written(small()), table, "--columns", "z=1")[1]["error"]


def test_of_several_images_one_has_to_be_named_by_number_or_name(cut: Cut, tmp_path: Path) -> None:
    both = fits.HDUList([fits.PrimaryHDU()])
    both += [fits.ImageHDU(small().data, small().header, name=name) for name in ("SCI", "DIFF")]
    data, table = written(both), "id,x,y\n1,200,200\n"
    status, told, _ = cut(data, table)
    assert status == 1
    assert "has 2 images" in told["error"]
    assert "say which with --extension" in told["error"]
    asked = ("SCI", "sci", "1", "diff", "2")
    names = [cut(data, table, "--extension", which)[1]["rows"][0]["id"] for which in asked]
    assert names[0] == names[1] == names[2] != names[3] == names[4]  # a row of two images is two cutouts
    assert len(list((tmp_path / "out").glob("*_cutouts.csv"))) == 2
    assert "has no image 'MASK'" in cut(data, table, "--extension", "MASK")[1]["error"]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (b"\x89PNG\r\n\x1a\n" + b"0" * 500, "expected a difference image in FITS"),
        (b"", "expected a difference image in FITS"),
        (written(fits.PrimaryHDU(np.zeros((2, 50, 50), np.float32))), "no image of two axes"),
        (written(small())[:4000], ""),
    ],
)
def test_what_is_no_image_is_refused(cut: Cut, image: bytes, expected: str) -> None:
    status, told, _ = cut(image, "id,x,y\n1,200,200\n")
    assert status in (1, 3)
    assert expected in told.get("error", "")
    assert status == 1 or reasons(told) == ["unreadable"]


def test_a_time_is_needed_and_can_be_given(cut: Cut) -> None:
    unit = small()
    unit.header["DATE-OBS"] = "2026-11-20"
    data, table = written(unit), "id,x,y\n1,200,200\n"
    assert "say when it was exposed with --exposed" in cut(data, table)[1]["error"]
    assert "expected 2026-11-20T03:12:45, UTC" in cut(data, table, "--exposed", "yesterday")[1]["error"]
    assert "expected 57754 to" in cut(data, table, "--exposed", "2004-11-20T03:12:45")[1]["error"]
    _, told, _ = cut(data, table, "--exposed", "2026-11-20T03:12:45")
    assert told["rows"][0]["file"].startswith(f"stamps/stamps_{NIGHT}/strkid")


@pytest.mark.parametrize(
    ("system", "late_s"), [("UTC", 0.0), ("TAI", 37.0), ("TT", 69.184), ("TDB", None), ("LOCAL", None)]
)
def test_the_time_of_a_header_is_read_by_its_scale(
    cut: Cut, tmp_path: Path, system: str, late_s: float | None
) -> None:
    unit, table = small(), "id,x,y\n1,200,200\n"
    utc_mjd = mjd_of("2026-11-20T03:12:45")
    unit.header["TIMESYS"], unit.header["MJD-OBS"] = system, utc_mjd + (late_s or 0) / 86400
    unit.writeto(tmp_path / "diff.fits")
    with open_full_image(tmp_path / "diff.fits", max_bytes=2**30) as image:
        assert late_s is None or image.start_mjd == pytest.approx(utc_mjd, abs=1e-3 / 86400)
    if late_s is None:
        expected = f"its time is {system!r} (TIMESYS); expected UTC, TAI or TT; say when"
        assert expected in cut(written(unit), table)[1]["error"]
        assert cut(written(unit), table, "--exposed", "2026-11-20T03:12:45")[0] == 0


def test_names_have_the_form_of_the_survey_and_keep_what_the_catalogue_says() -> None:
    pid = pid_of(61364.13385, "wide diff")
    assert pid.startswith("361013385")
    assert len(pid) == 13
    own = "strkid6740938304150004_pid674093830415"
    image = image_name(pid, "wide diff")
    assert (image[:13], len(image)) == (pid, 25)
    assert streak_name(own, pid, "wide diff") == own
    assert streak_name("17", pid, "wide diff") == f"strkid{image}0017_pid{pid}"
    assert streak_name("1234567890123", pid, "wide diff") == f"strkid1234567890123_pid{pid}"
    texts = {streak_name(text, pid, "wide diff") for text in ("cand-1", "cand-2")}
    assert {len(name) for name in texts} == {len(f"strkid{'0' * 35}_pid{pid}")}
    assert len(texts) == 2
    for text in ("7", "cand-1"):
        of_another = streak_name(text, "9" * 40, "wide diff")
        assert streak_id(of_another) == of_another
        assert streak_name(text, pid, "wide ccd2") != streak_name(text, pid, "wide diff")


def test_rows_of_the_detectors_of_one_exposure_have_ids_of_their_own() -> None:
    detectors = [f"wide c4d_ccd{n:02}" for n in range(62)]  # more than the pids' channels
    for own in ("1", "cand-1"):
        assert len({streak_name(own, pid_of(61364.13385, ccd), ccd) for ccd in detectors}) == 62
