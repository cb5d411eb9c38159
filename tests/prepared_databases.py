"""Databases with their indexes, which tests use one after the other."""

import secrets
from collections import deque
from dataclasses import dataclass
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure

from storage.database import INDEXES, Document, Mongo
from storage.schema import KEY, prepare

RESTING = 4
PATIENCE_MS = 2000
ID = "_id_"
EVERYTHING = {"q": {}, "limit": 0}


@dataclass(frozen=True)
class Shape:
    """What is noted of the schema, and the names of each collection's indexes."""

    schema: Document | None
    indexes: dict[str, list[str]]


class PreparedDatabases:
    """Gives each test one that is empty: to make its hundred files would take longer than most tests.

    One that a test left with other collections, other indexes or an open transaction is dropped. Some always
    rest, and the one that did so longest is taken: who writes late writes into one that is emptied again.
    """

    def __init__(self, mongo_url: str) -> None:
        self._client = MongoClient[dict[str, Any]](mongo_url)
        self._resting: deque[str] = deque()
        self._made = Shape(None, {})

    def take(self) -> str:
        """The name of one as a service has it that begins."""
        while len(self._resting) > RESTING:
            name = self._resting.popleft()
            if self._is_emptied(self._client[name]):
                return name
            self._client.drop_database(name)
        name = f"test_{secrets.token_hex(6)}"
        prepare(self._client[name])
        self._made = _shape(self._client[name])
        return name

    def give_back(self, name: str) -> None:
        """The test that took it has ended."""
        if self._is_emptied(self._client[name]):
            self._resting.append(name)
        else:
            self._client.drop_database(name)

    def close(self) -> None:
        """Disconnect; the databases go with their server."""
        self._client.close()

    def _is_emptied(self, database: Mongo) -> bool:
        found = _shape(database)
        more = found.indexes.keys() - self._made.indexes
        if found != Shape(self._made.schema, self._made.indexes | {name: [ID] for name in more}):
            return False
        try:
            for name in INDEXES:
                database.command("delete", name, deletes=[EVERYTHING], maxTimeMS=PATIENCE_MS)
            database["service"].delete_many({"_id": {"$ne": KEY}})
            for name in more:
                database.drop_collection(name)
        except OperationFailure:
            return False
        return True


def _shape(database: Mongo) -> Shape:
    names = database.list_collection_names()
    indexes = {name: sorted(database[name].index_information()) for name in names}
    return Shape(database["service"].find_one({"_id": KEY}), indexes)
