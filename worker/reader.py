"""Fetches and decodes a shard's items in threads, while the network runs."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

from core.errors import CutoutRejected, NotFound, Unavailable
from core.job import Item, Rejection
from cutouts.decode import DecodeLimits, decode
from cutouts.recipes import Pixels
from storage.blobs import BlobStore, sha256_of

FIRST_PAUSE_S = 0.2
Fetch = Callable[[str], bytes]


@dataclass(frozen=True)
class ReadItem:
    """An item after reading: its cutout, and pixels by recipe or why there are none.

    `fetch_rejection` is the item's own fault (its source), `decode_rejection` the content's.
    """

    index: int
    cutout: str | None
    sha256: str | None
    pixels: dict[str, Pixels] = field(default_factory=dict)
    fetch_rejection: Rejection | None = None
    decode_rejection: Rejection | None = None


class Reader:
    """Reads items: from the blob store, or by reference with a few attempts."""

    def __init__(
        self, blobs: BlobStore, fetch: Fetch, executor: Executor, *, limits: DecodeLimits, attempts: int
    ) -> None:
        self._blobs, self._fetch, self._executor = blobs, fetch, executor
        self._limits, self._attempts = limits, attempts

    def read(self, items: Sequence[tuple[int, Item]], recipes: Sequence[str]) -> Iterator[ReadItem]:
        """Read items ahead of the caller; yields them in order, none dropped."""
        futures = [self._executor.submit(self._read_one, index, item, recipes) for index, item in items]
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()

    def _read_one(self, index: int, item: Item, recipes: Sequence[str]) -> ReadItem:
        try:
            data = self._bytes(item)
        except CutoutRejected as error:
            return ReadItem(index, item.cutout, item.sha256, fetch_rejection=_rejection(error))
        sha256 = item.sha256 if item.reference is None and item.sha256 else sha256_of(data)
        cutout = item.cutout or sha256
        try:
            pixels = {recipe: decode(data, recipe=recipe, limits=self._limits) for recipe in recipes}
        except CutoutRejected as error:
            return ReadItem(index, cutout, sha256, decode_rejection=_rejection(error))
        return ReadItem(index, cutout, sha256, pixels=pixels)

    def _bytes(self, item: Item) -> bytes:
        if item.reference is None:
            try:
                return self._blobs.get(item.sha256 or "")
            except NotFound as error:
                raise CutoutRejected("fetch", "blob_missing", str(error)) from error
        for attempt in range(self._attempts):
            try:
                return self._fetch(item.reference)
            except Unavailable as error:
                last = error
                time.sleep(FIRST_PAUSE_S * 2**attempt)
        raise CutoutRejected("fetch", "unreachable", f"{last}, {self._attempts} attempts") from last


def _rejection(error: CutoutRejected) -> Rejection:
    return Rejection(error.stage, error.reason, error.detail)
