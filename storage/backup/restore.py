"""Putting a backup into an empty database, so that a death in between leaves nothing that looks whole."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import bson
from bson import json_util
from bson.raw_bson import RawBSONDocument
from pymongo import DeleteOne, ReplaceOne
from pymongo.errors import BulkWriteError
from pymongo.write_concern import WriteConcern

from core.errors import Conflict, Damaged, InvalidRequest
from storage.backup.blob_archive import unpack_blobs
from storage.backup.changes import LEFT_OUT, RAW, RawDatabase
from storage.backup.dump import CHANGES
from storage.backup.manifest import Manifest, read_manifest, verify
from storage.database import Mongo, check, ensure_indexes
from storage.record import Record
from storage.restoring import RESTORING
from storage.schema import SCHEMA

_BATCH = 1000
_BATCH_BYTES = 8 * 2**20
_DUPLICATE_KEY = 11000


def restore(
    record: Record, folder: Path, *, replace: bool = False, tell: Callable[[str], None] = lambda _: None
) -> Manifest:
    """Make the record what a backup holds; returns the backup's manifest.

    Every byte of the backup is checked first. A mark is on record until all is done, by which services
    refuse to start; after a death the same call goes on. The service has to be stopped meanwhile.

    Parameters
    ----------
    replace : remove what is in the database first, also half of this backup. Blobs that are in the store stay
        in any case.

    Raises InvalidRequest or Damaged for what is no whole backup or is of a newer release, and Conflict where
    the database holds anything, workers are at work on it, or another backup was half restored, before
    anything is touched.
    """
    manifest = read_manifest(folder)
    if manifest.schema_version > SCHEMA:
        raise InvalidRequest(
            f"the backup is of schema {manifest.schema_version}, by {manifest.release}; this release knows "
            f"{SCHEMA}: restore it with a release that is as new"
        )
    verify(folder, manifest, tell=tell)
    check(record.database)
    record.refuse_workers()
    _begin(record.database, manifest, replace=replace)
    _fill(record.database, folder, manifest, tell=tell)
    archives = [folder / name for name in manifest.files if name.startswith("blobs/")]
    unpacked = unpack_blobs(archives, record.blobs, tell=tell)
    if manifest.blobs is not None and unpacked != manifest.blobs.count:
        raise Damaged(
            f"{unpacked:,} blobs came out of the backup; its manifest names {manifest.blobs.count:,}"
        )
    _compare(record.database, manifest)
    tell("building indexes")
    ensure_indexes(record.database)  # the last: by them MongoDB removes what has expired since the backup
    record.database["service"].delete_one({"_id": RESTORING})  # waits for the journal of a majority
    _tell_who_will_be_told(record.database, tell=tell)
    return manifest


def _begin(database: Mongo, manifest: Manifest, *, replace: bool) -> None:
    """Set the mark, and empty the database if that is wanted or was begun."""
    service = database["service"]
    mark = service.find_one({"_id": RESTORING})
    if mark is not None and mark["backup"] == manifest.checksum and not replace:
        emptied = bool(mark["emptied"])
    elif mark is not None and not replace:
        raise Conflict(
            f"the restore of another backup, made {mark['made']}, was begun here; finish that, or "
            "restore this one with --replace"
        )
    elif (found := _holds(database)) and not replace:
        raise Conflict(
            f"the database {database.name} is not empty ({found}); restore into an empty one "
            "(DA_MONGO_DATABASE, DA_STATE_DIR), or say --replace, which removes what is there"
        )
    else:
        emptied = False
        fields = {"backup": manifest.checksum, "made": manifest.made, "emptied": False}
        service.replace_one({"_id": RESTORING}, fields, upsert=True)
    if not emptied:
        for name in _collections(database):
            if name == service.name:
                service.delete_many({"_id": {"$ne": RESTORING}})
            else:
                database[name].drop()
        service.update_one({"_id": RESTORING}, {"$set": {"emptied": True}})


def _holds(database: Mongo) -> str:
    """Which collections hold documents, in words; empty for none."""
    kept = [name for name in _collections(database) if name not in LEFT_OUT]
    return ", ".join(name for name in sorted(kept) if database[name].find_one({}, {"_id": True}) is not None)


def _collections(database: Mongo) -> list[str]:
    names = database.list_collection_names(filter={"type": "collection"})
    return [name for name in names if not name.startswith("system.")]


def _fill(database: Mongo, folder: Path, manifest: Manifest, *, tell: Callable[[str], None]) -> None:
    """Insert every document, and then make those anew that were changed while the backup was read.

    The one who finishes waits for the journal. Indexes come later: only all of it fits the unique ones, and
    others remove documents. Those that a pass before this one has built go.
    """
    raw = database.with_options(codec_options=RAW, write_concern=WriteConcern(w=1))
    service = database["service"]
    there = _collections(database)
    for name, kept in manifest.collections.items():
        if name not in there:
            options = json_util.loads(json_util.dumps(kept.options))
            database.create_collection(name, **options)
        else:
            database[name].drop_indexes()
        if name == service.name:  # in which a service may have noted its own schema when all was empty
            service.delete_many({"_id": {"$ne": RESTORING}})
        path = folder / "collections" / f"{name}.bson"
        if path.exists():
            tell(f"filling {name} ({kept.count:,} documents)")
            for documents in _batches(path):
                _insert(raw, name, documents)
    tell("filling in what was changed meanwhile")
    for changes in _batches(folder / CHANGES):
        _change(raw, changes)


def _batches(path: Path) -> Iterator[list[RawBSONDocument]]:
    some: list[RawBSONDocument] = []
    size = 0
    with path.open("rb") as file:
        for document in bson.decode_file_iter(file, codec_options=RAW):
            some.append(document)
            size += len(document.raw)
            if len(some) >= _BATCH or size >= _BATCH_BYTES:
                yield some
                some, size = [], 0
    if some:
        yield some


def _insert(raw: RawDatabase, name: str, documents: Iterable[RawBSONDocument]) -> None:
    """Insert what is not there yet."""
    try:
        raw[name].insert_many(documents, ordered=False)
    except BulkWriteError as error:
        if any(fault["code"] != _DUPLICATE_KEY for fault in error.details["writeErrors"]):
            raise


def _change(raw: RawDatabase, changes: Iterable[RawBSONDocument]) -> None:
    statements: dict[str, list[Any]] = {}
    for change in changes:
        key, document = {"_id": change["k"]}, change.get("d")
        statement = DeleteOne(key) if document is None else ReplaceOne(key, document, upsert=True)
        statements.setdefault(change["c"], []).append(statement)
    for name, some in statements.items():
        raw[name].bulk_write(some, ordered=True)


def _compare(database: Mongo, manifest: Manifest) -> None:
    """Raise Damaged where a collection has more or fewer documents than it had."""
    ours = {"service": {"_id": {"$ne": RESTORING}}}
    wrong = []
    for name, kept in manifest.collections.items():
        count = database[name].count_documents(ours.get(name, {}))
        if count != kept.count:
            wrong.append(f"{name} has {count:,} documents; expected {kept.count:,}")
    if wrong:
        raise Damaged(
            f"what was restored is not what was kept: {'; '.join(wrong)}; the mark stays on record; stop "
            "what works on this database and restore again with --replace"
        )


def _tell_who_will_be_told(database: Mongo, *, tell: Callable[[str], None]) -> None:
    subscriptions = database["subscriptions"].count_documents({})
    waiting = database["deliveries"].count_documents({"state": "pending"})
    if subscriptions:
        tell(
            f"subscriptions that are told once the service starts: {subscriptions:,}, with messages that "
            f"waited: {waiting:,}; where this is a copy, set notifications.send to false (docs/upkeep.md)"
        )
