"""Makes readers as the settings say."""

import math
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from core.settings import Scoring, Settings
from cutouts.decode import DecodeLimits
from cutouts.sources import read_reference
from storage.blobs import BlobStore
from storage.record import Record
from worker.packed import PackReader
from worker.reader import READ_AHEAD, Reader

THREADS = 4  # more decode no faster, for they wait for the interpreter's lock
CORES_OF_ONE = 4  # a thread decodes some thousand cutouts/s, of which so many cores score less
FETCHES = 4  # under way at a time, of references


def decode_limits(settings: Settings) -> DecodeLimits:
    """What one cutout may cost."""
    return DecodeLimits.of(settings.limits)


def decode_threads(scoring: Scoring, blobs: BlobStore, *, beside_cpu: bool) -> int:
    """How many threads read and decode, where the settings don't say.

    As few as do beside a network that they take the processor from: four spend half as much again on the
    same files as one, on waiting for each other. A store that is not on this host is waited for by more.
    """
    if scoring.decode_threads is not None:
        return scoring.decode_threads
    if beside_cpu and blobs.is_local:
        return math.ceil(len(os.sched_getaffinity(0)) / CORES_OF_ONE)
    return THREADS


def open_reader(
    settings: Settings, record: Record, *, name: str, from_packs: bool, beside_cpu: bool = False
) -> Reader:
    """A reader with threads of its own; raises Misconfigured for a blob store that is not the record's.

    Parameters
    ----------
    beside_cpu : whether the network runs on the same processor.
    """
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
        ThreadPoolExecutor(
            decode_threads(scoring, record.blobs, beside_cpu=beside_cpu), thread_name_prefix=f"read-{name}"
        ),
        limits=limits,
        attempts=scoring.fetch_attempts,
        mark=record.check_blobs(),
        fetching=ThreadPoolExecutor(FETCHES, thread_name_prefix=f"fetch-{name}"),
        packs=PackReader(record.packs, record.blobs, limits) if from_packs else None,
        ahead=max(READ_AHEAD, 2 * max(scoring.batch_sizes)),
    )
