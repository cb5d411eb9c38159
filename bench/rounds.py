"""Uploads of cutouts, good and bad ones, the same for the same seed."""

import io
from pathlib import Path

from PIL import Image

from bench.cutout_files import jpegs, write_zip

NAMED = 4
_STREAK = "strkid{:016d}_pid635123456789.jpg"


def make_round(folder: Path, n: int, *, cutouts: int, seed: int) -> Path:
    """The zip of round n: simulated cutouts, the first under streak ids, and files that are to be rejected.

    Bad are a text, a flat picture, the same in each round, a file that was cut short, one of those under a
    streak id, and, from the second round on, other bytes under a streak id of the round before. One cutout
    comes under two names.
    """
    good = [data for _, data in jpegs(cutouts, seed=1000 * seed + n)]
    files = [(_STREAK.format(100 * n + i), data) for i, data in enumerate(good[:NAMED])]
    files += [(f"{i:06d}.jpg", data) for i, data in enumerate(good[NAMED:], NAMED)]
    files += [("again.jpg", good[-1])]
    files += [("cut.jpg", good[0][:2000]), (_STREAK.format(100 * n + 99), good[1][:2000])]
    files += [("text.jpg", f"round {n} is no image".encode()), ("flat.png", _flat())]
    if n:
        files += [(_STREAK.format(100 * (n - 1)), good[2])]
    return write_zip(folder / f"round-{n}.zip", files)


def bad_files(n: int) -> int:
    """How many files of round n are to be rejected."""
    return 5 if n else 4


def _flat() -> bytes:
    out = io.BytesIO()
    Image.new("L", (157, 157), 204).save(out, "PNG")
    return out.getvalue()
