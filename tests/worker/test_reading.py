"""How cutouts are read beside a network: by few threads, a few together, and begun with what is there."""

import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from core.job import Item, Job, Priority
from core.settings import Scoring
from cutouts.decode import DecodeLimits
from storage.blobs import BlobStore
from storage.record import Record
from tests.record import register
from tests.worker.pictures import noisy_png
from tests.worker.test_scorer import MeanGrey
from worker.batches import Batches
from worker.networks import Networks
from worker.reader import TOGETHER, Reader, Reading, ReadItem
from worker.readers import decode_threads

MARK = "0" * 64


@pytest.mark.parametrize(
    ("priority", "read", "sizes"),
    [("bulk", 2, [2, 4, 1]), ("bulk", 3, [2, 4, 1]), ("bulk", 7, [4, 3]), ("live", 7, [4, 3])],
)
def test_an_idle_engine_begins_a_backlog_with_what_is_read_first(
    record: Record, priority: Priority, read: int, sizes: list[int]
) -> None:
    register(record, "rb@1")
    engine = MeanGrey()
    futures: list[Future[ReadItem]] = [Future() for _ in range(7)]
    reading = Reading(iter([list(enumerate(futures))]), ahead=8)
    job = Job("j1", ("rb@1",), priority, "me", items=7, shards=1)
    batches = Batches(Networks(record.models, engine), job, reading, done=(), size=4, first=2).scored()
    _finish(futures, 0, read)
    landed = [len(next(batches).batch)]
    assert landed == sizes[:1]
    _finish(futures, read, 7)
    assert landed + [len(one.batch) for one in batches] == sizes


def _finish(futures: list[Future[ReadItem]], first: int, last: int) -> None:
    for n in range(first, last):
        pixels = {"deepstreaks-1": np.zeros((144, 144, 1), np.uint8)}
        futures[n].set_result(ReadItem(n, str(n), str(n), str(n), pixels))


def test_a_reference_does_not_wait_for_the_threads_that_decode_files(blobs: BlobStore) -> None:
    held = threading.Event()
    with ThreadPoolExecutor(1) as files, ThreadPoolExecutor(1) as fetching:
        try:
            files.submit(held.wait)
            reader = _reader(blobs, files, fetching)
            (read,) = reader.read([(0, Item("a", reference="https://example.org/a.png"))], ["deepstreaks-1"])
            assert read.pixels
        finally:
            held.set()


def test_files_are_read_a_few_together_and_come_in_their_order(blobs: BlobStore) -> None:
    items = [(n, Item(str(n), None, blobs.put(noisy_png(n)))) for n in range(2 * TOGETHER + 3)]
    items.insert(5, (99, Item("r", reference="https://example.org/r.png")))
    with ThreadPoolExecutor(1) as files, ThreadPoolExecutor(1) as fetching:
        submitted: list[object] = []
        reader = _reader(blobs, _Counted(files, submitted), fetching)
        found = list(reader.read(items, ["deepstreaks-1"]))
    assert [read.index for read in found] == [index for index, _ in items]
    assert all(read.pixels for read in found)
    assert len(submitted) == 3


class _Counted(ThreadPoolExecutor):
    """Hands over to another, and notes it."""

    def __init__(self, other: ThreadPoolExecutor, submitted: list[object]) -> None:
        super().__init__(1)
        self._other, self._submitted = other, submitted

    def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        self._submitted.append(fn)
        return self._other.submit(fn, *args, **kwargs)


def _reader(blobs: BlobStore, files: ThreadPoolExecutor, fetching: ThreadPoolExecutor) -> Reader:
    return Reader(
        blobs, lambda _: noisy_png(7), files, fetching=fetching, limits=DecodeLimits(), attempts=1, mark=MARK
    )


@pytest.mark.parametrize(
    ("cores", "beside_cpu", "url", "threads"),
    [
        (2, True, "file", 1),
        (16, True, "file", 4),
        (16, False, "file", 4),
        (2, True, "memory", 4),
    ],
)
def test_few_threads_decode_beside_a_network_on_the_same_cores(
    monkeypatch: pytest.MonkeyPatch, cores: int, beside_cpu: bool, url: str, threads: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    blobs = BlobStore(f"{url}:///blobs")
    assert decode_threads(Scoring(), blobs, beside_cpu=beside_cpu) == threads
    assert decode_threads(Scoring(decode_threads=3), blobs, beside_cpu=beside_cpu) == 3


@pytest.fixture
def blobs(record: Record) -> BlobStore:
    """An empty store."""
    return record.blobs
