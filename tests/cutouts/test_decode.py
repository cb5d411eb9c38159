"""Decoding: every picture that can be scored, and a reason for every one that can not."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from core.errors import CutoutRejected
from cutouts.decode import DecodeLimits, decode
from tests.images import enormous_png, jpeg, png


def reason(data: bytes, **limits: int) -> str:
    with pytest.raises(CutoutRejected) as caught:
        decode(data, limits=DecodeLimits(**limits))
    assert caught.value.stage == "decode"
    assert "expected" in caught.value.detail
    return caught.value.reason


def sky(*shape: int, seed: int = 1) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    return np.random.default_rng(seed).normal(204, 20, shape).clip(0, 255).astype(np.uint8)


def saved(image: Image.Image, form: str) -> bytes:
    file = io.BytesIO()
    image.save(file, form)
    return file.getvalue()


def test_a_cutout_becomes_144_by_144_grey() -> None:
    pixels = decode(jpeg())
    assert pixels.shape == (144, 144, 1)
    assert pixels.dtype == np.uint8


def test_grey_pixels_of_the_right_size_come_through_unchanged() -> None:
    grey = sky(144, 144)
    assert np.array_equal(decode(png(grey))[:, :, 0], grey)


@pytest.mark.parametrize(("width", "height"), [(131, 157), (157, 131), (16, 16), (400, 90)])
def test_a_cutout_at_the_edge_of_a_ccd_is_scored(width: int, height: int) -> None:
    assert decode(jpeg(width=width, height=height)).shape == (144, 144, 1)


def test_the_red_marks_become_grey_76() -> None:
    rgb = np.repeat(sky(144, 144)[:, :, None], 3, axis=2)
    rgb[70, 80] = (255, 0, 0)
    assert decode(png(rgb))[70, 80, 0] == 76


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P"])
def test_eight_bit_modes_are_scored(mode: str) -> None:
    data = saved(Image.fromarray(sky(144, 144)).convert(mode), "PNG")
    assert decode(data).shape == (144, 144, 1)


def test_a_text_file_called_jpg_is_no_image() -> None:
    assert reason(b"This is a text file.") == "not_an_image"


def test_no_bytes_are_empty() -> None:
    assert reason(b"") == "empty"


@pytest.mark.parametrize("form", ["GIF", "BMP", "TIFF"])
def test_other_formats_are_not_tried(form: str) -> None:
    assert reason(saved(Image.fromarray(sky(144, 144)), form)) == "not_an_image"


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.95])
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_truncated_file_is_rejected_and_not_half_scored(form: str, keep: float) -> None:
    data = saved(Image.fromarray(sky(157, 157)), form)
    assert reason(data[: int(len(data) * keep)]) == "truncated"


def test_a_header_alone_is_rejected() -> None:
    for data in (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", jpeg()[:20], png(sky(50, 50))[:20]):
        assert reason(data) in ("not_an_image", "truncated")


def test_damage_anywhere_gives_pixels_or_a_rejection_and_no_other_error() -> None:
    rng = np.random.default_rng(7)
    stages = set()
    for whole in (jpeg(), png(sky(60, 60))):
        for _ in range(150):
            data = bytearray(whole)
            for place in rng.integers(0, len(data), 6):
                data[place] = rng.integers(0, 256)
            try:
                assert decode(bytes(data)).shape == (144, 144, 1)
            except CutoutRejected as error:
                stages.add(error.stage)
    assert stages == {"decode"}


def test_an_enormous_picture_is_rejected_before_it_is_decoded() -> None:
    data = enormous_png(30_000)
    assert len(data) < 2_000_000
    assert reason(data) == "too_many_pixels"
    assert reason(png(sky(101, 100)), max_pixels=10_000) == "too_many_pixels"


def test_a_16_bit_png_is_rejected() -> None:
    deep = np.random.default_rng(3).integers(0, 65535, (157, 157), dtype=np.uint16)
    assert reason(png(deep)) == "unsupported_mode"


def test_a_file_over_the_limit_is_rejected() -> None:
    assert reason(jpeg(), max_bytes=1000) == "too_large"


def test_a_picture_of_a_few_pixels_is_rejected() -> None:
    assert reason(png(sky(15, 200))) == "too_small"


@pytest.mark.parametrize("level", [0, 204, 255])
def test_a_flat_picture_is_rejected(level: int) -> None:
    assert reason(png(np.full((157, 157), level, np.uint8))) == "flat"


def test_the_same_bytes_give_the_same_pixels() -> None:
    assert np.array_equal(decode(jpeg(4)), decode(jpeg(4)))


def test_a_palette_without_colours_is_a_rejection_although_pillow_raises_what_nobody_expects() -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 32, 32, 8, 3, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + bytes(range(32)) for _ in range(32)))
    chunks = [(b"IHDR", header), (b"tRNS", bytes(16)), (b"IDAT", rows), (b"IEND", b"")]
    file = b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)
    assert reason(file) in ("undecodable", "truncated", "not_an_image")
