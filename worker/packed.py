"""Reads cutouts from packs: where they are, and runs of neighbours in one read each."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import Damaged, NotFound, Unavailable
from core.instrument import Instrument
from core.job import Item
from cutouts.decode import DecodeLimits
from cutouts.instruments import ZTF
from cutouts.packs import PackedCutout, PackIndex, preparation, read_index, read_rows
from storage.blobs import BlobStore
from storage.packs import PackRecord, PackRepository

_log = logging.getLogger(__name__)
INDEXES_HELD = 16
WORTH_IT = 8  # cutouts that a pack has to give, on average, for its index to be read
FEWEST_PACKS = 8  # that are looked into all the same
WIDEST_GAP = 4  # rows that nobody asked for and that are read all the same, lest there be one more read
_FAULTS = (Damaged, NotFound, Unavailable)


@dataclass(frozen=True)
class Place:
    """Where a cutout lies, prepared by a recipe."""

    recipe: str
    pack: PackRecord
    index: PackIndex
    row: int


@dataclass(frozen=True)
class Run:
    """Items whose cutouts lie side by side in a pack by a recipe: each with its row and its number."""

    recipe: str
    pack: PackRecord
    index: PackIndex
    items: list[tuple[int, int, Item]]


class PackReader:
    """Finds cutouts in packs and reads them. What can't be read is noted, and is left to its file.

    Packs are of the built-in instrument and of one recipe; for anything else there are none. Cutouts that lie
    scattered over very many packs are left to their files too, which are read sooner than as many indexes.
    """

    def __init__(self, packs: PackRepository, blobs: BlobStore, limits: DecodeLimits) -> None:
        self._packs, self._blobs, self._limits = packs, blobs, limits
        self._indexes: OrderedDict[str, PackIndex] = OrderedDict()
        self._lock = threading.Lock()
        self.faults = 0

    def places(
        self, items: Sequence[Item], recipes: Sequence[str], instrument: Instrument
    ) -> list[Place | None]:
        """Where each item's cutout lies, prepared as from its file; None for what is in no pack."""
        nowhere: list[Place | None] = [None] * len(items)
        known = [item.cutout for item in items if item.cutout is not None and item.sha256 is not None]
        if not known or len(recipes) != 1 or instrument != ZTF:
            return nowhere
        at_most = max(FEWEST_PACKS, len(known) // WORTH_IT)
        packs = self._packs.near(preparation(recipes[0]), known, at_most=at_most + 1)
        if len(packs) > at_most:
            return nowhere
        found: dict[str, Place] = {}
        for pack in packs:
            # under wider limits some of them may be in it that would be rejected today
            if pack.max_bytes <= self._limits.max_bytes and pack.max_pixels <= self._limits.max_pixels:
                found |= self._found(recipes[0], pack, known)
        places = [found.get(item.cutout or "") for item in items]
        return [
            place if place and place.index.sha256s[place.row] == item.sha256 else None
            for place, item in zip(places, items, strict=True)
        ]

    def read(self, run: Run) -> dict[int, PackedCutout]:
        """The cutouts of a run by their row, pixels as views on what was read; damaged ones are left out."""
        first, last = run.items[0][0], run.items[-1][0]
        rows = {row for row, _, _ in run.items}
        try:
            data = self._blobs.get_range(run.pack.sha256, *run.index.span(first, last))
        except _FAULTS as error:
            self._fault(run.pack, str(error), len(rows))
            return {}
        pixels, damaged = read_rows(run.index, data, first)
        whole = {row for row in rows if row < first + len(pixels)}.difference(damaged)
        if len(whole) < len(rows):
            detail = f"{len(whole)} whole images among its rows {first} to {last}; expected {len(rows)}"
            self._fault(run.pack, detail, len(rows) - len(whole))
        index = run.index
        return {
            row: PackedCutout(
                index.cutouts[row], index.sha256s[row], pixels[row - first], index.departures.get(row, ())
            )
            for row in whole
        }

    def _found(self, recipe: str, pack: PackRecord, cutouts: Sequence[str]) -> dict[str, Place]:
        try:
            index = self._index(pack)
        except _FAULTS as error:
            self._fault(pack, str(error), pack.count)
            return {}
        rows = index.rows
        return {cutout: Place(recipe, pack, index, rows[cutout]) for cutout in cutouts if cutout in rows}

    def _index(self, pack: PackRecord) -> PackIndex:
        index = self._indexes.pop(pack.sha256, None)
        if index is None:
            index = read_index(self._blobs.get_range(pack.sha256, 0, pack.pixels_at))
            if (index.preparation, len(index.cutouts)) != (pack.preparation, pack.count):
                raise Damaged(
                    f"a pack of {len(index.cutouts)} cutouts by {index.preparation}; expected {pack.count} by"
                    f" {pack.preparation}"
                )
        self._indexes[pack.sha256] = index
        while len(self._indexes) > INDEXES_HELD:
            self._indexes.popitem(last=False)
        return index

    def _fault(self, pack: PackRecord, detail: str, images: int) -> None:
        with self._lock:
            self.faults += images
        _log.warning(
            "not read from a pack but from files: %s", detail, extra={"pack": pack.sha256, "images": images}
        )
        self._packs.note_fault(pack.sha256, detail, images=images)


def runs(items: Sequence[tuple[int, Item]], places: Sequence[Place | None]) -> list[Run]:
    """Those of the numbered items that have a place, in runs that are worth one read each."""
    found = [(place, *numbered) for place, numbered in zip(places, items, strict=True) if place is not None]
    found.sort(key=lambda entry: (entry[0].pack.sha256, entry[0].row))
    grouped: list[Run] = []
    for place, index, item in found:
        run = grouped[-1] if grouped else None
        if run is None or run.pack != place.pack or place.row - run.items[-1][0] > WIDEST_GAP:
            run = Run(place.recipe, place.pack, place.index, [])
            grouped.append(run)
        run.items.append((place.row, index, item))
    return grouped
