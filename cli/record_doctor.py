"""Is the record well? What `./streaks doctor` looks at in MongoDB and the blob store."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import SecretStr
from pymongo.errors import PyMongoError

from cli.local.suitability import Finding
from cli.preflight import DISK_TO_RUN, GB
from core.errors import Misconfigured, ServiceError
from core.settings import Settings
from storage.damage import (
    NAMED,
    SAMPLE,
    check_cutouts,
    check_store,
    damaged_weights,
    jobs_without_shards,
    missing_indexes,
)
from storage.record import Record, open_record
from storage.schema import SCHEMA, refuse_unfit

RESTORE = "restore a backup (docs/upkeep.md)"


def examine_record(settings: Settings, mongo_url: str, *, all_blobs: bool) -> Iterator[Finding]:
    """The schema, indexes, jobs, weights and blobs of the record on a MongoDB that answers; reads only."""
    record = open_record(settings.model_copy(update={"mongo_url": SecretStr(mongo_url)}))
    try:
        try:
            refuse_unfit(record.database)
        except Misconfigured as error:
            what, _, cure = str(error).partition("; ")
            yield Finding("schema", False, what, cure)
            return
        yield Finding("schema", True, f"{SCHEMA}, this release's")
        yield from _examine(record, all_blobs=all_blobs)
    except (PyMongoError, ServiceError) as error:
        yield Finding("record", False, str(error)[:300], "see what is said of mongo and of the blob store")
    finally:
        record.close()


def examine_disks(settings: Settings) -> Iterator[Finding]:
    """Whether the disks of the state folder and of the blobs have room; each is told of once."""
    seen = set()
    places = {"state": settings.state_dir.absolute()}
    if settings.blobs.startswith("file://"):
        places["blobs"] = Path(settings.blobs.removeprefix("file://"))
    for what, path in places.items():
        there = next(folder for folder in (path, *path.parents) if folder.exists())
        device = there.stat().st_dev
        if device in seen:
            continue
        seen.add(device)
        free = shutil.disk_usage(there).free
        told = f"{free / GB:.1f} GB are free on the disk of {path}"
        cure = f"make room there (du -xh '{there}' | sort -h | tail); packs can go: ./streaks pack --prune"
        yield Finding(f"disk of {what}", free >= DISK_TO_RUN, told, cure)


def _examine(record: Record, *, all_blobs: bool) -> Iterator[Finding]:
    database = record.database
    if "jobs" not in database.list_collection_names():
        return  # no service has been on it yet
    yield _of("indexes", missing_indexes(database), "all there", "restart the API, which makes those")
    yield _of(
        "jobs",
        jobs_without_shards(record),
        "all have their shards",
        f"./streaks jobs cancel JOB and submit it again, or {RESTORE}",
    )
    fault = check_store(record)
    yield Finding(
        "blob store", fault is None, fault or record.blobs.url, "set DA_BLOB_URL to the store of this record"
    )
    if fault is not None:
        return
    weights = [f"those of {version}: the blob {why}" for version, why in damaged_weights(record).items()]
    cure = (
        f"./streaks models import its file under a new version, or {RESTORE}; shipped ones: restart the API"
    )
    yield _of("weights", weights, "all as registered", cure)
    checked = check_cutouts(record, at_most=None if all_blobs else SAMPLE)
    drawn = f"{checked.read:,} read, {checked.wrong:,} of them wrong"
    more = "" if all_blobs else "; --blobs reads all"
    told = f"{drawn}{': ' + '; '.join(checked.why) if checked.why else ''}{more}"
    cure = f"submit these files again, which puts them back, or {RESTORE}"
    yield Finding("cutouts", not checked.wrong, told, cure)


def _of(what: str, faults: Sequence[str], well: str, cure: str) -> Finding:
    named = ", ".join(faults[:NAMED]) + (f" and {len(faults) - NAMED:,} more" if len(faults) > NAMED else "")
    return Finding(what, not faults, named or well, cure)
