"""One cutout out of a pack, for people: workers read whole runs of them."""

import numpy as np

from core.errors import Damaged, NotFound
from cutouts.packs import preparation, read_index, read_rows
from cutouts.recipes import RECIPES, Pixels
from storage.record import Record


def packed_pixels(record: Record, cutout: str, sha256: str) -> Pixels | None:
    """A cutout as a pack holds it, (144, 144, 1) uint8; None where none has these bytes of it, whole."""
    for recipe in RECIPES:
        pack = record.packs.holding(preparation(recipe), [cutout]).get(cutout)
        if pack is None:
            continue
        try:
            index = read_index(record.blobs.get_range(pack.sha256, 0, pack.pixels_at))
            row = index.rows.get(cutout)
            if row is None or index.sha256s[row] != sha256:
                continue
            pixels, damaged = read_rows(
                index, record.blobs.get_range(pack.sha256, *index.span(row, row)), row
            )
        except (Damaged, NotFound):
            continue
        if len(pixels) == 1 and not damaged:
            return np.asarray(pixels[0])
    return None
