"""Simulated cutouts as the files that a user submits."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from cutouts.simulator import simulate


def jpegs(count: int, *, seed: int) -> list[tuple[str, bytes]]:
    """(name, JPEG of quality 100, 4:4:4) of simulated cutouts, the same for the same seed."""
    files: list[tuple[str, bytes]] = []
    for cutout in simulate("night", count=count, seed=seed):
        out = io.BytesIO()
        Image.fromarray(cutout.image).save(out, "JPEG", quality=100, subsampling=0)
        files.append((f"{len(files):06d}.jpg", out.getvalue()))
    return files


def write_zip(path: Path, files: Sequence[tuple[str, bytes]]) -> Path:
    """An archive of the files, stored."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files:
            archive.writestr(name, data)
    return path


def another(jpeg: bytes, n: int) -> bytes:
    """The same picture in other bytes, which a service scores anew: the nth, by a comment in the JPEG."""
    comment = n.to_bytes(8, "big")
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]
