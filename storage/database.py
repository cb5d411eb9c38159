"""The connection to MongoDB, and its indexes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pymongo import ASCENDING, DESCENDING, GEOSPHERE, IndexModel, MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.write_concern import WriteConcern

from core.errors import Misconfigured, Unavailable

AUTHENTICATION_FAILED = 18
UNAUTHORIZED = 13
IN_CONTAINERS = "in containers: python3 deploy/make_secrets.py, then docker compose up --force-recreate"
Document = dict[str, Any]
Mongo = Database[Document]

BY_RB, PLAUSIBLE_BY_RB, BY_SCORE, REJECTIONS = "by_rb", "plausible_by_rb", "by_score", "rejections"
"""Indexes that are asked for by their names. Those by score begin with the night: in one over all nights a
new cutout's key would be anywhere, and each dirty a page that is far from all others (`storage.ranking`)."""

INDEXES: dict[str, list[IndexModel]] = {
    "cutouts": [
        IndexModel([("night", ASCENDING), ("_id", ASCENDING)]),
        IndexModel([("streakid", ASCENDING)]),
        IndexModel([("dec", ASCENDING), ("ra", ASCENDING)]),
        IndexModel([("jd", ASCENDING), ("streakid", ASCENDING)]),
        IndexModel(  # Results: pages by score, of a night or of all that are merged
            [(key, ASCENDING) for key in ("night", "rb", "_id", "plausible")],
            partialFilterExpression={"rb": {"$gte": 0}},
            name=BY_RB,
        ),
        *(  # The plausible few: Results; scripts that ask for a time; Tonight, a night's or the last hours'
            IndexModel(
                [(key, ASCENDING) for key in ("plausible", *keys)],
                partialFilterExpression={"plausible": True},
                name=name,
            )
            for name, keys in {
                PLAUSIBLE_BY_RB: ("night", "rb", "_id"),
                "plausible_by_jd": ("jd", "streakid"),
                "plausible_1_night_1_added_1__id_1": ("night", "added", "_id"),
                "plausible_1_added_1__id_1": ("added", "_id"),
            }.items()
        ),
        IndexModel([("midpoint_coordinates.radec_geojson", GEOSPHERE)]),
        IndexModel(
            [("decided_by", ASCENDING)],
            partialFilterExpression={"versions": {"$exists": True}},
            name="decided_by",
        ),
    ],
    "outcomes": [
        IndexModel(
            [(key, ASCENDING) for key in ("_id.version", "night", "score", "_id.cutout")], name=BY_SCORE
        ),
        IndexModel(
            [(key, ASCENDING) for key in ("rejection.reason", "_id.version", "_id.cutout")],
            partialFilterExpression={"rejection.reason": {"$gt": ""}},
            name=REJECTIONS,
        ),
    ],
    "jobs": [
        IndexModel([("created", DESCENDING)]),
        IndexModel([("state", ASCENDING)]),
        IndexModel(
            [("owner", ASCENDING), ("idempotency.key", ASCENDING)],
            unique=True,
            partialFilterExpression={"idempotency.key": {"$type": "string"}},
            name="idempotency",
        ),
        IndexModel([("untold", ASCENDING)], partialFilterExpression={"untold": True}, name="untold"),
    ],
    "shards": [
        IndexModel([("_id.job", ASCENDING), ("_id.n", ASCENDING)]),
        IndexModel(  # covers the count of a job's progress, which then reads no shard's items
            [(key, ASCENDING) for key in ("_id.job", "state", "size", "scored", "rejected")], name="progress"
        ),
        IndexModel([("_id.job", ASCENDING), ("state", ASCENDING), ("closed", ASCENDING)]),
        IndexModel([("state", ASCENDING), ("priority", ASCENDING), ("told", ASCENDING)]),
        IndexModel(
            [("state", ASCENDING), ("priority", ASCENDING), ("rank", DESCENDING), ("_id", ASCENDING)],
            name="next",
        ),
        IndexModel(
            [("closed", DESCENDING)],
            partialFilterExpression={"priority": "bulk", "state": "done"},
            name="closed",
        ),
        IndexModel([("untold", ASCENDING)], partialFilterExpression={"untold": True}, name="untold"),
    ],
    "subscriptions": [IndexModel([("owner", ASCENDING)])],
    "announced": [IndexModel([("at", ASCENDING)])],
    "deliveries": [
        IndexModel([("state", ASCENDING), ("channel", ASCENDING), ("next_at", ASCENDING)]),
        IndexModel([("subscription", ASCENDING), ("created", DESCENDING)]),
        IndexModel([("delivered", ASCENDING)], expireAfterSeconds=30 * 86400),
    ],
    "trainings": [IndexModel([("state", ASCENDING), ("told", ASCENDING)])],
    "datasets": [
        IndexModel([("fingerprint", ASCENDING)], unique=True),
        IndexModel(
            [("classifier", ASCENDING)],
            unique=True,
            partialFilterExpression={"benchmark": True},
            name="one_benchmark",
        ),
    ],
    "dataset_items": [IndexModel([("_id.dataset", ASCENDING), ("_id.n", ASCENDING)])],
    "labels": [
        IndexModel([("_id.classifier", ASCENDING), ("_id.cutout", ASCENDING), ("_id.person", ASCENDING)])
    ],
    "projects": [IndexModel([("members.user", ASCENDING)])],
    "label_datasets": [IndexModel([("project", ASCENDING), ("created", ASCENDING)])],
    "label_items": [IndexModel([("_id.dataset", ASCENDING), ("name", ASCENDING)])],
    "label_faults": [IndexModel([("dataset", ASCENDING), ("name", ASCENDING)])],
    "label_events": [
        IndexModel([("_id.dataset", ASCENDING), ("_id.person", ASCENDING), ("item", ASCENDING)]),
        IndexModel([("_id.dataset", ASCENDING), ("received", ASCENDING)]),
    ],
    "label_states": [
        IndexModel([(key, ASCENDING) for key in ("_id.dataset", "labelled", "_id.item", "_id.person")]),
        IndexModel([("_id.dataset", ASCENDING), ("classes", ASCENDING)]),
    ],
    "verdicts": [
        IndexModel([(key, ASCENDING) for key in ("cutout", "at", "_id")]),
        IndexModel([("at", DESCENDING), ("_id", DESCENDING)]),
    ],
    "label_settlements": [IndexModel([("_id.dataset", ASCENDING), ("at", ASCENDING)])],
    "label_holds": [IndexModel([("until", ASCENDING)], expireAfterSeconds=0)],
    "night_files": [
        IndexModel(
            [(f"_id.{key}", ASCENDING) for key in ("night", "kind", "name", "sha256")], name="of_night"
        ),
        IndexModel([("job", ASCENDING)]),
    ],
    "night_faults": [
        IndexModel([(f"_id.{key}", ASCENDING) for key in ("night", "name", "line")], name="of_night")
    ],
    "models": [
        IndexModel([("classifier", ASCENDING), ("stage", ASCENDING)]),
        IndexModel(
            [("training.imported_from.source", ASCENDING), ("training.imported_from.field", ASCENDING)],
            unique=True,
            partialFilterExpression={"training.imported_from.field": {"$type": "string"}},
            name="legacy",
        ),
    ],
    "import_faults": [IndexModel([("_id.import", ASCENDING), ("_id.name", ASCENDING)], name="of_import")],
    "packs": [
        IndexModel([(key, ASCENDING) for key in ("preparation", "night", "first", "last")], name="near")
    ],
    "tokens": [
        IndexModel([("user", ASCENDING)]),
        IndexModel([("expires", ASCENDING)], expireAfterSeconds=0),
    ],
    "sessions": [
        IndexModel([("user", ASCENDING)]),
        IndexModel([("expires", ASCENDING)], expireAfterSeconds=0),
    ],
    "login_failures": [
        IndexModel([("name", ASCENDING), ("address", ASCENDING), ("at", ASCENDING)]),
        IndexModel([("address", ASCENDING), ("at", ASCENDING)]),
        IndexModel([("at", ASCENDING)], expireAfterSeconds=3600),
    ],
    "audit": [
        IndexModel([("at", DESCENDING), ("_id", DESCENDING)]),
        IndexModel([("what", ASCENDING), ("at", DESCENDING), ("_id", DESCENDING)]),
    ],
    "guests": [IndexModel([("expires", ASCENDING)], expireAfterSeconds=0)],
    "workers": [IndexModel([("at", ASCENDING)], expireAfterSeconds=3600)],
    "holds": [IndexModel([("until", ASCENDING)], expireAfterSeconds=0)],
}


PRIVATE = (
    *("users", "tokens", "sessions", "login_failures", "audit", "verdicts"),
    *("guests", "imports", "import_faults"),
    *("projects", "label_datasets", "label_items", "label_faults", "label_events", "label_states"),
    *("label_settlements", "label_holds", "subscriptions", "announced", "deliveries"),
)
"""Collections of the API and the sweeper: a worker on an invited host may neither read nor write them."""
SHARED = (*(name for name in INDEXES if name not in PRIVATE), "nights", "service")
"""All others, which it reads and writes."""


def connect(url: str, name: str, *, patience_s: float = 5.0) -> Mongo:
    """A database whose writes are acknowledged by a journaled majority.

    Nothing is sent yet; a server that stays away for `patience_s` raises pymongo's own errors later.
    """
    client: MongoClient[Document] = MongoClient(
        url,
        serverSelectionTimeoutMS=int(patience_s * 1000),
        connectTimeoutMS=int(patience_s * 1000),
        socketTimeoutMS=60_000,
        tz_aware=True,
        appname="deep-asteroids",
    )
    return client.get_database(name, write_concern=WriteConcern(w="majority", j=True))


@contextmanager
def refusals_told(account: str = "") -> Iterator[None]:
    """Raise Misconfigured, with the cure, where MongoDB refuses an account, or what it is about to do."""
    whose = f" of the account {account}" if account else ""
    try:
        yield
    except OperationFailure as error:
        if error.code == AUTHENTICATION_FAILED:
            raise Misconfigured(
                f"MongoDB refuses the name or the password{whose}; set that server's account in "
                f"DA_MONGO_URL, or in the secrets where that says {{database}}; {IN_CONTAINERS}"
            ) from error
        if error.code == UNAUTHORIZED:
            told = str((error.details or {}).get("errmsg", "not authorized")).partition(" to execute")[0]
            raise Misconfigured(
                f"the rights{whose} at MongoDB do not allow what this process does ({told}); expected the "
                f"account of this service; {IN_CONTAINERS}"
            ) from error
        raise


def check(database: Mongo, *, account: str = "") -> None:
    """Raises Unavailable when MongoDB does not answer.

    Misconfigured when it refuses the `account`, which is only told, and when it is not a replica set.
    """
    try:
        with refusals_told(account):
            hello = database.client.admin.command("hello")
            database["service"].find_one({"_id": "schema"}, {"_id": True})  # `hello` needs no rights
    except OperationFailure as error:
        raise Unavailable(f"MongoDB fails: {error.code} {type(error).__name__}") from error
    except PyMongoError as error:
        raise Unavailable(f"MongoDB does not answer: {type(error).__name__}") from error
    if "setName" not in hello:
        raise Misconfigured("MongoDB is a standalone server; expected a replica set (one member will do)")


def ensure_indexes(database: Mongo) -> None:
    """Create what indexes are missing; harmless when they exist."""
    for collection, indexes in INDEXES.items():
        database[collection].create_indexes(indexes)
