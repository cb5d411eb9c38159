"""Making a backup: under a name that says it is not whole, until it is."""

import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from core.errors import Conflict, InvalidRequest
from core.flushing import flush_folder
from storage.backup.blob_archive import archive_blobs
from storage.backup.dump import dump
from storage.backup.manifest import NAME, HashedFile, KeptBlobs, KeptFile, Manifest
from storage.backup.named_blobs import FOLDER, NamedBlobs
from storage.blob_hold import BlobHold
from storage.database import check
from storage.record import Record
from storage.restoring import refuse_half_restored
from storage.schema import is_new, schema_of


def back_up(
    record: Record,
    folder: Path,
    *,
    release: str,
    with_blobs: bool = True,
    tell: Callable[[str], None] = lambda _: None,
) -> Manifest:
    """Write the record as it is at one moment, and all blobs, into a new folder; returns its manifest.

    The service may go on meanwhile. The moment is after the last collection was read; every blob that is
    named on record then is in the backup, unless the store has lost it, which the manifest tells. A death
    leaves a folder `….partial`, which no restore takes and the next backup of that name removes.

    Raises InvalidRequest for a database that no service has been on, Conflict where the folder exists or
    somebody else is writing it, Misconfigured where the record is half of another backup, and OSError for a
    full disk, after which nothing is left.
    """
    check(record.database)
    refuse_half_restored(record.database)
    if is_new(record.database):
        raise InvalidRequest(
            f"the database {record.database.name} is empty; expected DA_MONGO_DATABASE and DA_MONGO_URL, or "
            "DA_STATE_DIR, to name the one of a service"
        )
    with _partial(folder) as part:
        hold = BlobHold(record.database)
        hold.renew()
        try:
            collections, files = dump(record.database, part, tick=hold.renew, tell=tell)
            moment = datetime.now(UTC)
            blobs: KeptBlobs | None = None
            if with_blobs:
                archives: dict[str, KeptFile]
                with NamedBlobs(part, tick=hold.renew) as named:
                    names = named.beside(record.blobs.stored())
                    blobs, archives = archive_blobs(record.blobs, names, part, tick=hold.renew, tell=tell)
                files |= archives
        finally:
            hold.end()
        manifest = Manifest(
            made=moment.isoformat(timespec="seconds"),
            release=release,
            schema_version=schema_of(record.database),
            database=record.database.name,
            collections=collections,
            blobs=blobs,
            files=files,
        )
        with HashedFile(part / NAME) as file:
            file.write(manifest.to_json().encode())
            file.close()
    return manifest


@contextmanager
def _partial(folder: Path) -> Iterator[Path]:
    """A folder that takes its name when the block has ended well, and is removed when it has not."""
    if folder.exists():
        raise Conflict(f"{folder} exists; expected the name of a folder that is to be made")
    part = folder.with_name(f"{folder.name}.partial")
    part.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(part, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(f"another backup is being written to {part}") from error
        _empty(part)
        try:
            yield part
            _flush(part)
            part.rename(folder)
            _flush(folder.parent)
        except BaseException as error:
            with suppress(OSError):
                shutil.rmtree(part)
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:  # which tells of no file
                raise OSError(error.errno, f"{error.strerror}; nothing of it is left", str(folder)) from error
            raise
    finally:
        os.close(lock)


def _empty(part: Path) -> None:
    """Remove what a backup that was killed has left; raises Conflict for what is no such thing."""
    ours = {"collections", "blobs", "changes.bson", ".changed", ".changed.taken", FOLDER, NAME}
    found = list(part.iterdir())
    if foreign := sorted(entry.name for entry in found if entry.name not in ours):
        raise Conflict(f"{part} holds {foreign[0]!r}, which no backup has written; remove it or name another")
    for entry in found:
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _flush(folder: Path) -> None:
    for path in (*(sub for sub in folder.iterdir() if sub.is_dir()), folder):
        flush_folder(path)
