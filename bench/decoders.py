"""`python -m bench.decoders`: what a JPEG's decoding costs, and how far the faster way is off.

The origin's way is Pillow's: all channels, then grey. In draft mode libjpeg gives the luma alone; where a
file has colours, as the marks of the ends of a streak, that may be another grey. Simulated files, CPU time.
Then what a worker's reader takes of the processor for each of them, out of a blob store, with 1, 2 and 4
threads: they wait for each other.
"""

import argparse
import io
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from statistics import median

import numpy as np
from PIL import Image

from bench.cutout_files import jpegs
from bench.verdict import conclude
from core.job import Item
from cutouts.decode import DecodeLimits, decode, decode_checked
from cutouts.recipes import RECIPES, Pixels, deepstreaks_1
from storage.blobs import BlobStore
from worker.reader import Reader

REPEATS = 3
THREADS = (1, 2, 4)
ROUNDS = 5


def main() -> int:
    """Measure; returns 0 when what the service decodes is the origin's, bit for bit."""
    parser = argparse.ArgumentParser(prog="python -m bench.decoders", description=__doc__)
    parser.add_argument("--files", type=int, default=400)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    files = [data for _, data in jpegs(args.files, seed=7)]
    whole = [_decoded(data, draft=False) for data in files]
    off = [_levels(a, _decoded(data, draft=True)) for a, data in zip(whole, files, strict=True)]
    ours = max(_levels(a, decode(data)) for a, data in zip(whole, files, strict=True))
    details: dict[str, object] = {
        "files": len(files),
        "us, the origin's way": _us(partial(_decoded, draft=False), files),
        "us, in draft mode": _us(partial(_decoded, draft=True), files),
        "us, the service's decoding with its checks": _us(partial(decode_checked, recipes=[*RECIPES]), files),
        "us, the reader's, by threads": _reader_us(files),
        "files that draft mode changes, and by grey levels at most": [sum(n > 0 for n in off), max(off)],
    }
    figure = (
        f"the service's pixels are {ours} grey levels off the origin's (0), draft mode's up to {max(off)}"
    )
    return conclude("decoders", figure, kept=ours == 0, details=details, as_json=args.json)


def _decoded(data: bytes, *, draft: bool) -> Pixels:
    image = Image.open(io.BytesIO(data))
    if draft:
        image.draft("L", None)
    return deepstreaks_1(image.convert("L"))


def _levels(one: Pixels, other: Pixels) -> int:
    return int(np.abs(one.astype(np.int16) - other).max())


def _us(run: Callable[[bytes], object], files: Sequence[bytes]) -> int:
    """Microseconds of CPU for each file."""
    began = time.process_time()
    for _ in range(REPEATS):
        for data in files:
            run(data)
    return round(1e6 * (time.process_time() - began) / (REPEATS * len(files)))


def _reader_us(files: Sequence[bytes]) -> dict[int, int]:
    """Microseconds of CPU for each file by threads, the median of runs in turn."""
    found: dict[int, list[float]] = {threads: [] for threads in THREADS}
    with tempfile.TemporaryDirectory(prefix="deep-asteroids-decoders-") as folder:
        blobs = BlobStore(f"file://{folder}")
        items = [(n, Item(str(n), None, blobs.put(data))) for n, data in enumerate(files)]
        for _ in range(ROUNDS):
            for threads in THREADS:
                with ThreadPoolExecutor(threads) as executor:
                    reader = Reader(blobs, _nothing, executor, limits=DecodeLimits(), attempts=1, mark="")
                    began = time.process_time()
                    read = sum(1 for one in reader.read(items, [*RECIPES]) if one.pixels)
                    found[threads].append((time.process_time() - began) / read)
    return {threads: round(1e6 * median(seconds)) for threads, seconds in found.items()}


def _nothing(reference: str) -> bytes:
    raise ValueError(f"{reference}: expected no references")


if __name__ == "__main__":
    sys.exit(main())
