"""FITS: every image that can be read is read as astropy reads it, and nothing else takes the reader down."""

import io
import warnings

import numpy as np
import pytest
from astropy.io import fits

from core.errors import CutoutRejected
from cutouts.fits import read_fits
from tests.fits_files import Array, fits_file, noise, tiled, zipped

MAX_BYTES = 8 * 2**20


def read(data: bytes) -> Array:
    return read_fits(data, max_bytes=MAX_BYTES)


def reason(data: bytes, *, max_bytes: int = MAX_BYTES, max_pixels: int = 10**6) -> str:
    with pytest.raises(CutoutRejected) as caught:
        read_fits(data, max_bytes=max_bytes, max_pixels=max_pixels)
    assert caught.value.stage == "decode"
    assert "expected" in caught.value.detail
    return caught.value.reason


def by_astropy(data: bytes, index: int = 0) -> Array:
    with fits.open(io.BytesIO(data), memmap=False) as units:
        return np.asarray(units[index].data, np.float32)


@pytest.mark.parametrize("dtype", ["u1", ">i2", "<i2", ">i4", ">i8", ">f4", "<f4", ">f8", "u2", "u4"])
def test_every_type_and_byte_order_is_read_as_astropy_reads_it(dtype: str) -> None:
    data = fits_file(noise(height=63, width=70, sky=90).clip(0, 250).astype(dtype))
    plane = read(data)
    assert plane.dtype == np.float32
    assert plane.shape == (63, 70)
    assert np.array_equal(plane, by_astropy(data))


def test_scaled_integers_and_blanks_are_read_as_astropy_reads_them() -> None:
    raw = noise(sigma=900).astype(">i2")
    raw[3, 4] = -32768
    file = io.BytesIO()
    unit = fits.PrimaryHDU(raw)
    unit.writeto(file)
    cards = b"BSCALE  =              2.5D-2".ljust(80) + b"BZERO   =                 -7.5".ljust(80)
    cards += b"BLANK   =               -32768".ljust(80) + b"END".ljust(80)
    data = file.getvalue().replace(b"END".ljust(320), cards, 1)
    plane = read(data)
    assert np.isnan(plane[3, 4])
    np.testing.assert_allclose(plane, by_astropy(data), rtol=0, atol=1e-5)  # which scales in float32


def test_nan_and_infinity_come_through() -> None:
    plane = noise()
    plane[0, :3] = np.nan, np.inf, -np.inf
    assert np.array_equal(read(fits_file(plane)), plane, equal_nan=True)


def test_a_zipped_file_holds_the_same_image() -> None:
    data = fits_file(noise())
    assert np.array_equal(read(zipped(data)), read(data))
    assert np.array_equal(read(zipped(data[:3000]) + zipped(data[3000:])), read(data))


@pytest.mark.parametrize("compression", ["RICE_1", "GZIP_1", "GZIP_2", "NOCOMPRESS"])
@pytest.mark.parametrize("dtype", ["f4", "i2"])
def test_a_tile_compressed_file_is_read_as_astropy_reads_it(compression: str, dtype: str) -> None:
    plane = noise(sigma=50).astype(dtype)
    if dtype == "f4":
        plane[40:60, 50:70] = np.nan
    data = tiled(plane, compression)
    assert np.array_equal(read(data), by_astropy(data, 1), equal_nan=True)
    assert np.array_equal(read(zipped(data)), read(data), equal_nan=True)


def test_the_image_may_be_in_an_extension_and_have_axes_of_length_one() -> None:
    plane = noise(height=40, width=50)
    file = io.BytesIO()
    table = fits.BinTableHDU.from_columns([fits.Column("x", "E", array=np.ones(900))])
    fits.HDUList([fits.PrimaryHDU(), table, fits.ImageHDU(plane[np.newaxis])]).writeto(file)
    assert np.array_equal(read(file.getvalue()), plane)


def test_a_cube_is_rejected() -> None:
    assert reason(fits_file(np.stack([noise(height=63, width=63)] * 3))) == "not_two_dimensional"


def test_a_spectrum_is_rejected() -> None:
    assert reason(fits_file(np.ones(100, np.float32))) == "not_two_dimensional"


def test_an_exposure_is_no_cutout() -> None:
    assert reason(fits_file(np.zeros((2000, 2000), ">i2"))) == "too_many_pixels"
    assert reason(tiled(np.zeros((2000, 2000), "i2"))) == "too_many_pixels"
    assert reason(fits_file(noise()), max_pixels=157 * 156) == "too_many_pixels"


def test_sizes_that_a_header_only_claims_cost_no_memory() -> None:
    data = fits_file(np.zeros((20, 20), ">f4"))
    for claim in (b"60000", b"10000000000000", b"-5", b"1.5", b"abc"):
        lied = data.replace(b"NAXIS1  =                   20", b"NAXIS1  = " + claim.rjust(20), 1)
        assert reason(lied) in ("too_many_pixels", "undecodable")


@pytest.mark.parametrize("keep", [0.01, 0.3, 0.9])
def test_a_truncated_file_is_rejected(keep: float) -> None:
    for data in (fits_file(noise()), zipped(fits_file(noise())), tiled(noise())):
        assert reason(data[: int(len(data) * keep)]) == "truncated"


def test_a_file_without_its_last_padding_is_read() -> None:
    data = fits_file(noise(height=63, width=63))
    assert read(data[: 2880 + 63 * 63 * 4]).shape == (63, 63)
    assert reason(data[: 2880 + 63 * 63 * 4 - 1]) == "truncated"


def test_a_file_without_an_image_is_rejected() -> None:
    file = io.BytesIO()
    fits.PrimaryHDU().writeto(file)
    assert reason(file.getvalue()) == "not_an_image"
    assert reason(zipped(b"a text")) == "not_an_image"


def test_a_zip_bomb_is_rejected_before_it_is_unpacked() -> None:
    assert reason(zipped(bytes(50_000_000))) == "too_large"


def test_a_bomb_in_a_tile_is_rejected_before_it_is_unpacked() -> None:
    whole = tiled(np.zeros((100, 100), "i4"), "GZIP_1", tile_shape=(100, 100))
    with fits.open(io.BytesIO(whole), disable_image_compression=True) as units:
        bomb = np.frombuffer(zipped(bytes(30_000_000)), np.uint8)
        column = fits.Column("COMPRESSED_DATA", "PB()", array=np.array([bomb, bomb[:1]], object)[:1])
        table = fits.BinTableHDU.from_columns([column])
        for card in units[1].header.cards:
            if card.keyword.startswith("Z"):
                table.header[card.keyword] = card.value
        file = io.BytesIO()
        fits.HDUList([fits.PrimaryHDU(), table]).writeto(file)
    assert reason(file.getvalue()) == "too_large"


@pytest.mark.parametrize("compression", ["HCOMPRESS_1", "PLIO_1"])
def test_compressions_that_trust_their_data_are_refused(compression: str) -> None:
    data = tiled(np.arange(64 * 64, dtype="i4").reshape(64, 64), compression)
    assert reason(data) == "undecodable"


@pytest.mark.filterwarnings("ignore")
def test_damage_anywhere_gives_an_image_or_a_rejection_and_no_other_error() -> None:
    rng = np.random.default_rng(7)
    wholes = [fits_file(noise(height=40, width=40)), tiled(noise(height=40, width=40))]
    wholes += [tiled(noise(height=40, width=40).astype("i2"), "GZIP_1"), zipped(wholes[0])]
    outcomes = set()
    for whole in wholes:
        for n in range(60):
            data = bytearray(whole)
            for place in rng.integers(0, len(data) if n % 2 else min(len(data), 8640), 8):
                data[place] = rng.integers(0, 256)
            try:
                assert read(bytes(data)).ndim == 2
            except CutoutRejected as error:
                outcomes.add(error.reason)
    assert "undecodable" in outcomes


def test_no_file_leaves_a_warning() -> None:
    data = fits_file(noise(), OBJECT="a" * 60)
    signalling = noise()
    signalling.view(np.uint32)[0, 0] = 0x7F800001  # a NaN that is to stop whoever computes with it
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(data)
        read(tiled(noise()))
        read(fits_file(signalling))
