"""Packs cutouts on record: what is in no pack is read from its file and put into one."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from core.errors import Conflict, NotFound
from core.job import Item
from cutouts.decode import DecodeLimits
from cutouts.names import night_of
from cutouts.packs import PackedCutout, preparation, read_index, write_pack
from cutouts.recipes import RECIPES
from storage.blob_hold import blobs_are_held
from storage.packs import PackRecord
from storage.record import Record
from storage.selection import selected
from worker.reader import Reader

_log = logging.getLogger(__name__)
PACK_SIZE = 512  # cutouts, 10.6 MB
LOOKED_UP = 2000


@dataclass
class Packing:
    """Cutouts packed so far, in how many packs; those that were in one before; and those left to their files.

    `left` counts them by the reason why they can't be read; `mended` are packs that were made anew.
    """

    packed: int = 0
    packs: int = 0
    before: int = 0
    mended: int = 0
    left: Counter[str] = field(default_factory=Counter)


class Packer:
    """Packs what a filter means, in the order of ids, a night never with another one.

    It may be killed anywhere, and several may run at once: bytes come before the record, a pack is known by
    its bytes, and what is on record is not packed again. A pack that has vanished, or of which images could
    not be read, is made anew.

    Parameters
    ----------
    reader : of files and packs.
    limits : those that `reader` has.
    check : read every pack that is met, and not only those that readers complained of.
    """

    def __init__(
        self, record: Record, reader: Reader, *, recipe: str, limits: DecodeLimits, check: bool = False
    ) -> None:
        self._record, self._reader, self._recipe, self._limits = record, reader, recipe, limits
        self._check = check
        self._looked_at: set[str] = set()
        self.preparation = preparation(recipe)

    def pack(self, selection: str, *, tell: Callable[[Packing], object] = lambda _: None) -> Packing:
        """Pack the cutouts of a bound filter; `tell` is called after each pack."""
        done = Packing()
        pending: list[Item] = []
        for item in self._unpacked(selection, done):
            if pending and (len(pending) == PACK_SIZE or _night(item) != _night(pending[0])):
                self._write(pending, done)
                tell(done)
                pending = []
            pending.append(item)
        self._write(pending, done)
        tell(done)
        return done

    def _unpacked(self, selection: str, done: Packing) -> Iterator[Item]:
        rest = (item for item in selected(self._record, selection) if item.sha256 is not None)
        while items := list(islice(rest, LOOKED_UP)):
            held = self._record.packs.holding(self.preparation, [_id(item) for item in items])
            for pack in {pack.sha256: pack for pack in held.values()}.values():
                self._mend(pack, done)
            for item in items:
                if _id(item) in held:
                    done.before += 1
                else:
                    yield item

    def _mend(self, pack: PackRecord, done: Packing) -> None:
        """Make a pack anew, from itself and from files, if there is something wrong with it."""
        if pack.sha256 in self._looked_at:
            return
        self._looked_at.add(pack.sha256)
        if self._is_sound(pack):
            return
        cutouts = self._record.packs.cutouts(pack.sha256)
        known = self._record.cutouts.known(cutouts)
        items = [
            Item(cutout, cutout, known[cutout].sha256, known[cutout].reference)
            for cutout in cutouts
            if cutout in known
        ]
        _log.warning("mending a pack: %s", pack.last_fault, extra={"pack": pack.sha256})
        if self._write(items, done, instead_of=pack) != pack.sha256:
            self._record.packs.forget(pack.sha256)
        done.mended += 1

    def _is_sound(self, pack: PackRecord) -> bool:
        blobs = self._record.blobs
        if not self._check and not pack.faults:
            return pack.sha256 in blobs
        try:
            blobs.get(pack.sha256)
        except NotFound:
            return False
        self._record.packs.clear_faults(pack.sha256)
        return True

    def _write(
        self, items: Sequence[Item], done: Packing, *, instead_of: PackRecord | None = None
    ) -> str | None:
        """Put cutouts into a pack and then on record; returns its sha256, None where none can be read."""
        packed = list(self._read(items, done))
        if not packed:
            return None
        data = write_pack(self.preparation, packed)
        if instead_of is not None:
            self._record.blobs.delete(instead_of.sha256)  # a store may keep what it has under a name
        pack = PackRecord(
            sha256=self._record.blobs.put(data),
            preparation=self.preparation,
            max_bytes=self._limits.max_bytes,
            max_pixels=self._limits.max_pixels,
            pixels_at=read_index(data).pixels_at,
            count=len(packed),
        )
        if self._record.packs.insert(pack, [cutout.cutout for cutout in packed]):
            done.packs += 1
            done.packed += len(packed)
        else:
            self._record.packs.clear_faults(pack.sha256)
        return pack.sha256

    def _read(self, items: Sequence[Item], done: Packing) -> Iterator[PackedCutout]:
        for read in self._reader.read(list(enumerate(items)), [self._recipe]):
            rejection = read.fetch_rejection or read.decode_rejection
            if rejection is not None:
                done.left[rejection.reason] += 1
            elif read.sha256 != items[read.index].sha256:
                done.left["conflict"] += 1
            else:
                pixels = read.pixels[self._recipe]
                yield PackedCutout(str(read.cutout), str(read.sha256), pixels, read.departures)


def remove_unused(record: Record) -> int:
    """Remove packs that were prepared as no recipe is today, which nobody reads; returns how many.

    The bytes go first: killed in between, the next call finds what is left. Raises Conflict while a backup is
    being made, also where one begins meanwhile.
    """
    _refuse_backup(record)
    removed = 0
    for pack in record.packs.prepared_otherwise({preparation(recipe) for recipe in RECIPES}):
        _refuse_backup(record)
        record.blobs.delete(pack.sha256)
        record.packs.forget(pack.sha256)
        removed += 1
    return removed


def _refuse_backup(record: Record) -> None:
    if blobs_are_held(record.database):
        raise Conflict("a backup is being made, in which nothing is removed; prune packs after it")


def _id(item: Item) -> str:
    return str(item.cutout)


def _night(item: Item) -> str | None:
    return night_of(_id(item))
