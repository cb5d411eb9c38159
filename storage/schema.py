"""Which schema a database has, and whether this release may work on it."""

from storage.database import Mongo
from storage.restoring import refuse_half_restored

SCHEMA = 1
"""The schema that this release reads and writes."""


def refuse_unfit(database: Mongo) -> None:
    """Raise Misconfigured, with the cure, where a service must not work on this database."""
    refuse_half_restored(database)


def schema_of(database: Mongo) -> int:
    """The schema version on record; 0 for a database from before versions were recorded."""
    found = database["service"].find_one({"_id": "schema"})
    return 0 if found is None else int(found["version"])
