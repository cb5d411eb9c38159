"""`python -m bench.packs`: how fast cutouts come out of packs, compared bit by bit with their files.

A night of simulated cutouts, a few hundred of them again and again under other ids, is put on record, packed,
and read as rescoring reads it: shard by shard in the order of ids, in batches of one array each. Blobs are in
the page cache; MongoDB runs beside the reader. Then every cutout is read from its file too and compared:
pixels, sha256, and in what it is uncalibrated.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from statistics import median

import numpy as np
from pydantic import SecretStr

from bench.backlog import put_on_record
from bench.cutout_files import jpegs
from bench.verdict import conclude
from cli.local.servers import local_servers
from core.job import Item
from core.settings import Settings
from cutouts.recipes import RECIPES
from storage.record import Record, open_record
from storage.schema import prepare
from storage.selection import EVERYTHING, selected
from worker.packer import Packer
from worker.reader import Reader, ReadItem
from worker.readers import decode_limits, open_reader

PER_S = 50_000
DISTINCT = 512
SHARD = 2000  # what a worker of a fast device takes at a time
BATCH = 32
SEED = 5
RECIPE = next(iter(RECIPES))
DAYS = 674


def main() -> int:
    """Pack, read and compare; returns 0 when the promise is kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.packs", description=__doc__)
    parser.add_argument("--cutouts", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="deep-asteroids-packs-") as scratch:
        folder = Path(scratch)
        with local_servers(folder) as servers:
            settings = Settings(mongo_url=SecretStr(servers.mongo_url), state_dir=folder)
            record = open_record(settings)
            try:
                return _measure(settings, record, args)
            finally:
                record.close()


def _measure(settings: Settings, record: Record, args: argparse.Namespace) -> int:
    prepare(record.database)
    files = [data for _, data in jpegs(min(args.cutouts, DISTINCT), seed=SEED)]
    put_on_record(record, files, days=DAYS, count=args.cutouts)
    reader = open_reader(settings, record, name="packs", from_packs=True)
    began = time.perf_counter()
    done = Packer(record, reader, recipe=RECIPE, limits=decode_limits(settings)).pack(EVERYTHING)
    packed_s = time.perf_counter() - began
    items = list(selected(record, EVERYTHING))
    rates, cpu_us = zip(*(_rate(reader, items) for _ in range(args.rounds + 1)), strict=True)
    same = _same(reader, open_reader(settings, record, name="files", from_packs=False), items)
    faults = sum(pack.get("faults", 0) for pack in record.database["packs"].find())
    per_s = median(rates[1:])  # the first round fills the page cache
    details: dict[str, object] = {
        "cutouts": done.packed,
        "packs": done.packs,
        "packed per s": round(done.packed / packed_s),
        "read per s, each round": [round(rate) for rate in rates[1:]],
        "CPU of the reader, us per cutout": [round(used, 1) for used in cpu_us[1:]],
        "faults": faults,
    }
    figure = (
        f"{per_s:,.0f} cutouts/s from packs (at least {PER_S:,}); {same:,} of {args.cutouts:,} bit-equal to "
        "their files"
    )
    kept = per_s >= PER_S and same == args.cutouts == done.packed and not faults
    return conclude("packs", figure, kept=kept, details=details, as_json=args.json)


def _rate(reader: Reader, items: Sequence[Item]) -> tuple[float, float]:
    """Cutouts per second, and microseconds of this process's CPU for each."""
    began, cpu_s = time.perf_counter(), time.process_time()
    count = 0
    for batch in _batches(_reads(reader, items)):
        count += len(np.stack([read.pixels[RECIPE] for read in batch]))
    seconds = time.perf_counter() - began
    return count / seconds, 1e6 * (time.process_time() - cpu_s) / count


def _reads(reader: Reader, items: Sequence[Item]) -> Iterator[ReadItem]:
    for start in range(0, len(items), SHARD):
        yield from reader.read(list(enumerate(items[start : start + SHARD])), [RECIPE])


def _batches(reads: Iterator[ReadItem]) -> Iterator[list[ReadItem]]:
    while batch := list(islice(reads, BATCH)):
        yield batch


def _same(one: Reader, other: Reader, items: Sequence[Item]) -> int:
    """How many items both read, and read alike."""
    return sum(
        replace(a, pixels={}) == replace(b, pixels={}) and np.array_equal(a.pixels[RECIPE], b.pixels[RECIPE])
        for a, b in zip(_reads(one, items), _reads(other, items), strict=True)
        if a.pixels and b.pixels
    )


if __name__ == "__main__":
    sys.exit(main())
