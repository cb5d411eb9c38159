"""Cutouts on record with their bytes in the blob store, as nights that were submitted long ago."""

from collections.abc import Sequence

from cutouts.names import night_of
from storage.cutouts import CutoutRecord
from storage.record import Record

AT_ONCE = 2000
INDICES = 10_000  # streaks of one exposure


def streak_ids(count: int, *, days: int) -> list[str]:
    """Ids of one night, which is that many days after 2017-01-01, in their order."""
    exposures = [f"{days}{n // INDICES:05d}0415" for n in range(count)]
    return [f"strkid{pid}{n % INDICES:04d}_pid{pid}" for n, pid in enumerate(exposures)]


def put_on_record(record: Record, files: Sequence[bytes], *, days: int, count: int | None = None) -> str:
    """Put a night of `count` cutouts on record, the files again and again; returns the night."""
    sha256s = [record.blobs.put(data) for data in files]
    ids = streak_ids(len(files) if count is None else count, days=days)
    cutouts = [CutoutRecord(cutout, sha256s[n % len(sha256s)]) for n, cutout in enumerate(ids)]
    for start in range(0, len(cutouts), AT_ONCE):
        record.cutouts.announce(cutouts[start : start + AT_ONCE])
        record.cutouts.own(cutouts[start : start + AT_ONCE])
    return str(night_of(ids[0]))
