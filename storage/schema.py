"""Which schema a database has, and whether this release may work on it."""

from pymongo.errors import DuplicateKeyError

from core.errors import Misconfigured
from storage.database import Document, Mongo, ensure_indexes
from storage.restoring import refuse_half_restored

SCHEMA = 2
"""The schema that this release reads and writes: the last one of `storage.migrations`."""
KEY = "schema"
_TELLING = frozenset({"jobs", "shards", "cutouts", "models", "users"})
"""Collections of which a database that was in use has some."""


def prepare(database: Mongo) -> None:
    """Make a database fit for a service: its schema noted where it is new, its indexes made.

    Raises Misconfigured as `refuse_unfit` does, before anything is changed.
    """
    refuse_half_restored(database)  # which is as empty as a new one when it begins
    if is_new(database):
        _note_new(database)  # before there is a collection by which it would count as old
    refuse_unfit(database)
    ensure_indexes(database)


def refuse_unfit(database: Mongo) -> None:
    """Raise Misconfigured, with the cure, where a service must not work on this database.

    That is one that is half restored or half migrated, or of another schema than this release's.
    """
    refuse_half_restored(database)
    found = _found(database)
    version = _version(found)
    if found is None and is_new(database):
        return
    if found is not None and "migrating" in found:
        raise Misconfigured(
            f"the migration of the database {database.name} to schema {found['migrating']} has begun and not "
            "ended; ./streaks migrate goes on with it"
        )
    if version > SCHEMA:
        raise Misconfigured(
            f"the database {database.name} has schema {version}, and this release knows {SCHEMA}: a newer "
            "release is at work on it; upgrade this one"
        )
    if version < SCHEMA:
        raise Misconfigured(
            f"the database {database.name} has schema {version}, and this release needs {SCHEMA}; stop every "
            "service on it, then ./streaks backup DIR, ./streaks migrate --dry-run, ./streaks migrate"
        )


def schema_of(database: Mongo) -> int:
    """The schema version on record; 0 for a database from before versions were recorded.

    A new one has that of the release that comes first.
    """
    found = _found(database)
    return SCHEMA if found is None and is_new(database) else _version(found)


def _found(database: Mongo) -> Document | None:
    return database["service"].find_one({"_id": KEY})


def _version(found: Document | None) -> int:
    return 0 if found is None else int(found["version"])


def is_new(database: Mongo) -> bool:
    """Whether no service has been on a database yet."""
    return _TELLING.isdisjoint(database.list_collection_names())


def _note_new(database: Mongo) -> None:
    try:
        database["service"].insert_one({"_id": KEY, "version": SCHEMA})
    except DuplicateKeyError:
        return  # by another service that starts at the same time
