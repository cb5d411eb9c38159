"""Reads a shard's items in threads, from packs or by decoding their files, while the network runs."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from core.errors import CutoutRejected, NotFound, Unavailable
from core.instrument import Instrument
from core.job import Item, Rejection
from core.outcome import Departure
from cutouts.decode import DecodeLimits, decode_checked
from cutouts.instruments import ZTF
from cutouts.names import content_id
from cutouts.recipes import Pixels
from storage.blobs import BlobStore, sha256_of
from worker.metrics import timed
from worker.packed import PackReader, Place, Run, runs

FIRST_PAUSE_S = 1.0
PAUSE_GROWTH = 4.0
READ_AHEAD = 64  # enough for two batches of 32; what is queued here, nobody else's item can overtake
Fetch = Callable[[str], bytes]


@dataclass(frozen=True)
class ReadItem:
    """An item after reading: its cutout, and pixels by recipe or why there are none.

    `content` is the id that its content has by itself, which is `cutout` too where there is no streak id.
    `fetch_rejection` is the item's own fault (its source), `decode_rejection` the content's.
    """

    index: int
    cutout: str | None
    sha256: str | None
    content: str | None = None
    pixels: dict[str, Pixels] = field(default_factory=dict)
    departures: tuple[Departure, ...] = ()
    fetch_rejection: Rejection | None = None
    decode_rejection: Rejection | None = None


_ReadFile = Callable[[int, Item], ReadItem]
_Run = dict[int, ReadItem | Future[ReadItem]]  # by an item's index; what its pack did not give is on its way
_Numbered = tuple[int, Future[ReadItem] | Future[_Run]]
TOGETHER = 8
"""Files that a thread reads in one go at most, for to hand one over alone has its cost."""


class Reader:
    """Reads items: from packs, else from the blob store, or by reference with a few attempts.

    Parameters
    ----------
    executor : has the threads that read and decode what is in the blob store.
    fetching : has those for references, which wait for another's server; None for the same.
    packs : None for one that reads files only.
    ahead : items that are read ahead of the caller, and in one go from packs.
    """

    def __init__(
        self,
        blobs: BlobStore,
        fetch: Fetch,
        executor: Executor,
        *,
        limits: DecodeLimits,
        attempts: int,
        mark: str,
        fetching: Executor | None = None,
        packs: PackReader | None = None,
        ahead: int = READ_AHEAD,
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        self._blobs, self._fetch, self._executor = blobs, fetch, executor
        self._fetching = fetching or executor
        self._limits, self._attempts, self._mark = limits, attempts, mark
        self._packs, self._ahead = packs, ahead
        self._first_pause_s = first_pause_s

    def read(
        self, items: Sequence[tuple[int, Item]], recipes: Sequence[str], instrument: Instrument = ZTF
    ) -> "Reading":
        """Read an instrument's items ahead of the caller; gives them in order, none dropped."""
        places: list[Place | None] = [None] * len(items)
        if self._packs is not None:
            places = self._packs.places([item for _, item in items], recipes, instrument)
        read_file = partial(self._read_one, recipes=recipes, instrument=instrument)
        parts = (slice(start, start + self._ahead) for start in range(0, len(items), self._ahead))
        return Reading((self._begun(items[part], places[part], read_file) for part in parts), self._ahead)

    def _begun(
        self, items: Sequence[tuple[int, Item]], places: Sequence[Place | None], read_file: _ReadFile
    ) -> Iterator[_Numbered]:
        """Items that are being read, in order: neighbours in a pack, or a few files, together."""
        begun: dict[int, Future[_Run] | Future[ReadItem]] = {}
        for run in runs(items, places):
            of_run = self._executor.submit(copy_context().run, self._read_run, run, read_file)
            begun |= {index: of_run for _, index, _ in run.items}
        files = [one for one in items if one[0] not in begun and one[1].reference is None]
        for some in (files[start : start + TOGETHER] for start in range(0, len(files), TOGETHER)):
            of_some = self._executor.submit(copy_context().run, _read_files, some, read_file)
            begun |= {index: of_some for index, _ in some}
        for index, item in items:
            yield index, begun.get(index) or self._fetching.submit(copy_context().run, read_file, index, item)

    def _read_run(self, run: Run, read_file: _ReadFile) -> _Run:
        """Cutouts out of a pack; those that it does not give are read from their files, all at once."""
        with timed("read"):
            packed = self._packs.read(run) if self._packs is not None else {}
        found: _Run = {}
        for row, index, item in run.items:
            cutout = packed.get(row)
            if cutout is None:
                found[index] = self._executor.submit(read_file, index, item)
            else:
                content, pixels = content_id(cutout.sha256), {run.recipe: cutout.pixels}
                found[index] = ReadItem(
                    index, cutout.cutout, cutout.sha256, content, pixels, cutout.departures
                )
        return found

    def _read_one(self, index: int, item: Item, recipes: Sequence[str], instrument: Instrument) -> ReadItem:
        try:
            with timed("read"):
                data = self._bytes(item)
        except CutoutRejected as error:
            return ReadItem(index, item.cutout, item.sha256, fetch_rejection=_rejection(error))
        sha256 = item.sha256 if item.reference is None and item.sha256 else sha256_of(data)
        content = content_id(sha256, instrument.name)
        cutout = item.cutout or content
        try:
            with timed("decode"):
                decoded = decode_checked(data, recipes=recipes, instrument=instrument, limits=self._limits)
        except CutoutRejected as error:
            return ReadItem(index, cutout, sha256, content, decode_rejection=_rejection(error))
        return ReadItem(index, cutout, sha256, content, decoded.pixels, decoded.departures)

    def _bytes(self, item: Item) -> bytes:
        if item.reference is None:
            try:
                return self._blobs.get(item.sha256 or "")
            except NotFound as error:
                if self._mark not in self._blobs:
                    raise Unavailable("the blob store is not there, not even its mark") from error
                raise CutoutRejected("fetch", "blob_missing", str(error)) from error
        pause_s = self._first_pause_s
        for _ in range(self._attempts - 1):
            try:
                return self._fetch(item.reference)
            except Unavailable:
                time.sleep(pause_s)
                pause_s *= PAUSE_GROWTH
        try:
            return self._fetch(item.reference)
        except Unavailable as error:
            raise CutoutRejected("fetch", "unreachable", f"{error}, {self._attempts} attempts") from error


class Reading(Iterator[ReadItem]):
    """Items that are being read, in order; what is not read yet when it is closed, or fails, is left.

    Attributes
    ----------
    all_begun : whether there is no item left that is not read or being read.

    Parameters
    ----------
    parts : of the items; taking one begins to read it.
    ahead : items that are being read, at least.
    """

    def __init__(self, parts: Iterator[Iterable[_Numbered]], ahead: int) -> None:
        self._parts, self._ahead = parts, ahead
        self._begun: deque[_Numbered] = deque()
        self.all_begun = False

    def __next__(self) -> ReadItem:
        self._begin()
        if not self._begun:
            raise StopIteration
        try:
            return _result(*self._begun.popleft())
        except BaseException:
            self.close()
            raise

    def is_ready(self, n: int) -> bool:
        """Whether the next `n`, of at most `ahead`, or as many as are left, can be had without a wait."""
        self._begin()
        return all(_is_read(*one) for one in islice(self._begun, n))

    def close(self) -> None:
        """Begin no other, and read none that waits for a thread."""
        self._parts = iter(())
        while self._begun:
            self._begun.pop()[1].cancel()

    def _begin(self) -> None:
        while len(self._begun) < self._ahead and not self.all_begun:
            part = next(self._parts, None)
            self.all_begun = part is None
            self._begun.extend(part or ())


def _read_files(items: Sequence[tuple[int, Item]], read_file: _ReadFile) -> _Run:
    return {index: read_file(index, item) for index, item in items}


def _result(index: int, reading: Future[ReadItem] | Future[_Run]) -> ReadItem:
    found = reading.result()
    if isinstance(found, dict):
        mine = found[index]
        return mine if isinstance(mine, ReadItem) else mine.result()
    return found


def _is_read(index: int, reading: Future[ReadItem] | Future[_Run]) -> bool:
    if not reading.done() or reading.cancelled() or reading.exception() is not None:
        return reading.done()
    found = reading.result()
    mine = found[index] if isinstance(found, dict) else found
    return isinstance(mine, ReadItem) or mine.done()


def _rejection(error: CutoutRejected) -> Rejection:
    return Rejection(error.stage, error.reason, error.detail)
