"""A predecessor's collection, read page by page in the order of its ids, on from where a page ended."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bson import json_util
from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo import MongoClient
from pymongo.errors import ConfigurationError, OperationFailure, PyMongoError

from core.errors import InvalidRequest, NotFound, Unavailable

PAGE_DOCUMENTS = 1000
PAGE_BYTES = 4 * 2**20
PATIENCE_S = 10.0
_BY_ID = [("_id", 1)]
_OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(
    unicode_decode_error_handler="replace", datetime_conversion=DatetimeConversion.DATETIME_AUTO
)


@dataclass(frozen=True)
class Page:
    """Documents as relaxed extended JSON, and the ids that they lie between; `done` where none follow."""

    documents: list[str]
    after: str | None
    last: str | None
    done: bool

    def body(self, **more: Any) -> bytes:
        """The page as one JSON object, with more members."""
        head = json.dumps({"after": self.after, "last": self.last, "done": self.done, **more})
        return (head[:-1] + ', "documents": [' + ", ".join(self.documents) + "]}").encode()


class LegacyCollection:
    """A collection on somebody else's MongoDB, which is only read.

    No error's words hold the address, where a password may be. Every method raises Unavailable where the
    server does not answer, InvalidRequest where it refuses.
    """

    def __init__(self, url: str, database: str, collection: str) -> None:
        self.name = f"{database}.{collection}"
        try:
            self._client: MongoClient[dict[str, Any]] = MongoClient(
                url,
                serverSelectionTimeoutMS=int(PATIENCE_S * 1000),
                connectTimeoutMS=int(PATIENCE_S * 1000),
                socketTimeoutMS=120_000,
                appname="deep-asteroids import",
            )
            self._database = self._client.get_database(database, codec_options=_OPTIONS)
            self._documents = self._database[collection]
        except (PyMongoError, ValueError, TypeError):
            raise InvalidRequest(
                "no address of a MongoDB, or no name of a database or collection; expected mongodb://USER:"
                "PASSWORD@HOST:27017 (a password's @ : / % are written %40 %3A %2F %25)"
            ) from None

    def identity(self) -> str:
        """What this collection has to itself, wherever it is reached: its UUID.

        Raises NotFound for a collection that is not there, InvalidRequest for a view, which has no order.
        """
        with self._told():
            found = next(self._database.list_collections(filter={"name": self._documents.name}), None)
            if found is None:
                there = ", ".join(sorted(self._database.list_collection_names())[:20]) or "none"
                raise NotFound(f"there is no collection {self.name}; in this database are: {there}")
        if found["type"] != "collection":
            raise InvalidRequest(f"{self.name} is a {found['type']}; expected a collection")
        uuid = found["info"].get("uuid")
        return bytes(uuid).hex() if uuid is not None else hashlib.sha256(self.name.encode()).hexdigest()[:32]

    def count(self) -> int:
        """About how many documents there are."""
        with self._told():
            return self._documents.estimated_document_count()

    def pages(self, after: str | None) -> Iterator[Page]:
        """Pages of the documents above an id, as the page before told it, or of all; the last is `done`."""
        while True:
            page = self._page(after)
            yield page
            if page.done:
                return
            after = page.last

    def close(self) -> None:
        """End the connection."""
        self._client.close()

    def _page(self, after: str | None) -> Page:
        documents: list[str] = []
        size, last, done = 0, after, True
        # By the index, not by {"$gt": …}, which finds ids of one type alone. Its lower bound is inclusive.
        cursor = self._documents.find().sort(_BY_ID).hint(_BY_ID).limit(PAGE_DOCUMENTS + 2)
        if after is not None:
            cursor = cursor.min([("_id", json_util.loads(after))])
        with self._told(), cursor:
            for document in cursor:
                name = json_util.dumps(document["_id"], json_options=json_util.CANONICAL_JSON_OPTIONS)
                if name == after:
                    continue
                if len(documents) == PAGE_DOCUMENTS or size > PAGE_BYTES:
                    done = False
                    break
                text = json_util.dumps(document, json_options=json_util.RELAXED_JSON_OPTIONS)
                documents.append(text)
                size, last = size + len(text), name
        return Page(documents, after, last, done)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """The server's errors as ours."""
        try:
            yield
        except OperationFailure as error:
            word = (error.details or {}).get("codeName", f"code {error.code}")
            raise InvalidRequest(
                f"the MongoDB refuses to read {self.name}: {word}; expected an account that may read it"
            ) from None
        except ConfigurationError as error:
            raise InvalidRequest(f"{self.name} can't be read: {error}") from None
        except PyMongoError as error:
            raise Unavailable(
                f"the MongoDB that holds {self.name} does not answer: {type(error).__name__}; what was "
                "imported stays, and the same command goes on there"
            ) from None
