"""Small images, made by hand where a library would refuse to."""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def jpeg(seed: int = 0, *, width: int = 157, height: int = 157) -> bytes:
    """A JPEG of noise like the sky of a difference image; another one for another seed."""
    grey = np.random.default_rng(seed).normal(204, 20, (height, width)).clip(0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(grey).convert("RGB").save(file, "JPEG", quality=95)
    return file.getvalue()


def png(pixels: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]") -> bytes:
    """A PNG of these pixels, 8 or 16 bits."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def enormous_png(side: int = 30_000) -> bytes:
    """A valid PNG of side x side black pixels, in about a megabyte or less."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    # Equal rows, each packed on its own and so packed once; 0x0300 ends them, and Adler-32 of zeros is known.
    packer = zlib.compressobj(9, wbits=-15)
    row = packer.compress(bytes(1 + side)) + packer.flush(zlib.Z_FULL_FLUSH)
    adler = struct.pack(">HH", side * (1 + side) % 65521, 1)
    pixels = b"\x78\xda" + row * side + b"\x03\x00" + adler
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
