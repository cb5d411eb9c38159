"""Makes readers as the settings say."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from core.settings import Settings
from cutouts.decode import DecodeLimits
from cutouts.sources import read_reference
from storage.record import Record
from worker.packed import PackReader
from worker.reader import READ_AHEAD, Reader


def decode_limits(settings: Settings) -> DecodeLimits:
    """What one cutout may cost."""
    return DecodeLimits.of(settings.limits)


def open_reader(settings: Settings, record: Record, *, name: str, from_packs: bool) -> Reader:
    """A reader with threads of its own; raises Misconfigured for a blob store that is not the record's."""
    limits, scoring = decode_limits(settings), settings.scoring
    fetch = partial(
        read_reference,
        policy=settings.references,
        max_bytes=limits.max_bytes,
        timeout_s=settings.limits.fetch_timeout_s,
    )
    return Reader(
        record.blobs,
        fetch,
        ThreadPoolExecutor(scoring.decode_threads, thread_name_prefix=f"read-{name}"),
        limits=limits,
        attempts=scoring.fetch_attempts,
        mark=record.check_blobs(),
        packs=PackReader(record.packs, record.blobs, limits) if from_packs else None,
        ahead=max(READ_AHEAD, 2 * max(scoring.batch_sizes)),
    )
