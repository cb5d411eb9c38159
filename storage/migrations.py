"""Bringing a database of an earlier release to today's schema, one version after the other.

A migration changes what its queries find, and its changes make them find no more: it may be killed anywhere
and begun again. One that was released is never edited; a new shape is a new migration at the end.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from pymongo import UpdateOne
from pymongo.errors import OperationFailure

from core.errors import Misconfigured
from cutouts.names import night_of
from storage.database import Document, Mongo, ensure_indexes
from storage.record import Record
from storage.restoring import refuse_half_restored
from storage.schema import KEY, schema_of

_AT_ONCE = 1000
_NOT_THERE = (26, 27)  # a collection, an index
_WITHOUT_RANK: Document = {"rank": {"$exists": False}}

Change = Callable[[str, Document], Document]
"""The fields to set, of a collection's document."""


@dataclass(frozen=True)
class Migration:
    """One step of the schema.

    Parameters
    ----------
    to : the version after it; the one before is one less.
    says : what it changes, and why.
    queries : by collection, which documents it changes.
    change : the fields that such a document gets.
    drops : by collection, indexes that the release before had and this one has not.
    """

    to: int
    says: str
    queries: Mapping[str, Document]
    change: Change
    drops: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def pending(self, database: Mongo) -> int:
        """How many documents it would change now."""
        return sum(database[name].count_documents(query) for name, query in self.queries.items())

    def run(self, database: Mongo) -> Iterator[int]:
        """Change all of them, a thousand at a time; tells after each how many. Indexes go first."""
        for name, indexes in self.drops.items():
            for index in indexes:
                _drop(database, name, index)
        for name, query in self.queries.items():
            found = database[name].find(query)
            while some := list(islice(found, _AT_ONCE)):
                database[name].bulk_write([self._one(name, document) for document in some], ordered=False)
                yield len(some)

    def _one(self, name: str, document: Document) -> UpdateOne:
        """Change a document unless that was done meanwhile."""
        key = {"_id": document["_id"]} | self.queries[name]
        return UpdateOne(key, {"$set": self.change(name, document)})


def _first(name: str, document: Document) -> Document:
    if name != "cutouts":
        return {"rank": 0}
    versions: Mapping[str, str] = document["versions"]
    return {"scores": {version: document[f] for f, version in versions.items() if f in document}}


def _second(_: str, document: Document) -> Document:
    return {"night": night_of(document["_id"]["cutout"])}


def _drop(database: Mongo, collection: str, index: str) -> None:
    try:
        database[collection].drop_index(index)
    except OperationFailure as error:
        if error.code not in _NOT_THERE:
            raise


MIGRATIONS: Sequence[Migration] = (
    Migration(
        1,
        "cutouts note the score of every member of a family, and not the family's alone; jobs and shards of "
        "before there were ranks get rank 0, so that they are not behind all others",
        {
            "cutouts": {"versions": {"$exists": True}, "scores": {"$exists": False}},
            "jobs": _WITHOUT_RANK,
            "shards": _WITHOUT_RANK,
        },
        _first,
    ),
    Migration(
        2,
        "outcomes note the night of their cutout, and indexes by score begin with it, so that what a cutout "
        "costs does not grow with the record",
        {"outcomes": {"night": {"$exists": False}}},
        _second,
        drops={
            "cutouts": (
                *("rb_1__id_1", "night_1_rb_1__id_1", "plausible_1_rb_1__id_1"),
                "jd_1_plausible_1_streakid_1",
            ),
            "outcomes": ("_id.version_1_score_1", "reasons"),
        },
    ),
)


def pending(database: Mongo, migrations: Sequence[Migration] = MIGRATIONS) -> list[Migration]:
    """The migrations that a database needs, in their order; reads only.

    Raises Misconfigured for a database that is newer than all of them, or half restored.
    """
    refuse_half_restored(database)
    version = schema_of(database)
    if version > len(migrations):
        raise Misconfigured(
            f"the database {database.name} has schema {version}, and this release knows {len(migrations)}; "
            "run the newer release"
        )
    return list(migrations[version:])


def migrate(
    record: Record,
    migrations: Sequence[Migration] = MIGRATIONS,
    *,
    tell: Callable[[str], None] = lambda _: None,
) -> list[Migration]:
    """Do what is pending, in order; returns it. Killed anywhere, the next call goes on.

    While one is under way that is on record, and services refuse to start. Raises Conflict while workers are
    at work on the database, and as `pending` does, before anything is changed.
    """
    database, service = record.database, record.database["service"]
    wanted = pending(database, migrations)
    record.refuse_workers()
    for migration in wanted:
        begun = {"version": migration.to - 1, "migrating": migration.to}
        service.update_one({"_id": KEY}, {"$set": begun}, upsert=True)
        tell(f"schema {migration.to}: {migration.says}")
        done = 0
        for changed in migration.run(database):
            done += changed
            tell(f"schema {migration.to}: {done:,} documents changed")
        service.update_one({"_id": KEY}, {"$set": {"version": migration.to}, "$unset": {"migrating": ""}})
    if wanted:
        tell("building indexes")
        ensure_indexes(database)
    return wanted
