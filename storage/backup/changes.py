"""What changes in a database while it is read: the keys, noted in a file."""

import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

import bson
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.client_session import ClientSession
from pymongo.database import Database

from core.errors import Conflict, Unavailable
from storage.backup.manifest import new_private

RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
RawDatabase = Database[RawBSONDocument]
LEFT_OUT = ("workers", "login_failures", "holds", "label_holds", "doctor")
"""Collections of what is true for moments only."""

_MARKS = "holds"
_KEYS_AT_ONCE = 500
_WAIT_MS = 100
_LOOK_EVERY_S = 5.0
_MARK_S = 60.0
_ENDS = ("drop", "rename", "dropDatabase", "invalidate")


class Changes:
    """Keys of the documents that were changed since this was made, in the order of the changes.

    A change stream tells of them; only keys are read, and they are kept in a file, so that memory does not
    grow. Raises Conflict where a collection is dropped or renamed meanwhile.
    """

    def __init__(self, database: RawDatabase, session: ClientSession, spool: Path) -> None:
        wanted: list[dict[str, Any]] = [
            {"$match": {"ns.coll": {"$nin": [name for name in LEFT_OUT if name != _MARKS]}}},
            {"$project": {"operationType": True, "ns": True, "documentKey": True}},
        ]
        self._marks = database[_MARKS]
        self._stream = database.watch(wanted, session=session, max_await_time_ms=_WAIT_MS)
        self._path = spool
        self._spool = self._open()
        self._looked = time.monotonic()
        self._session = session
        self.count = 0

    def close(self) -> None:
        """End the stream."""
        self._stream.close()
        self._spool.close()
        self._path.unlink(missing_ok=True)

    def look(self) -> None:
        """Call this often: it notes what came, every few seconds, so that the server need not keep it."""
        if time.monotonic() - self._looked >= _LOOK_EVERY_S:
            self.until_now()  # and no further: somebody who writes all the time would never be caught up with
            self._looked = time.monotonic()

    def until_now(self) -> None:
        """Note every change that came before this call; the session reads nothing older any more.

        A document of ours is inserted, and the stream read until it tells of that.
        """
        mark = secrets.token_hex(8)
        until = datetime.now(UTC) + timedelta(seconds=_MARK_S)
        document = RawBSONDocument(bson.encode({"_id": mark, "until": until}))
        self._marks.insert_one(document, session=self._session)
        try:
            deadline = time.monotonic() + _MARK_S
            while not self._drain(mark):
                if time.monotonic() > deadline:
                    raise Unavailable("MongoDB does not tell of changes; try the backup again")
        finally:
            self._marks.delete_one({"_id": mark})

    def take(self) -> Iterator[tuple[str, list[Any]]]:
        """What was noted: collections, and keys of documents in them; it is forgotten."""
        self._spool.close()
        taken = self._path.with_suffix(".taken")
        self._path.rename(taken)
        self._spool, self.count = self._open(), 0
        with taken.open("rb") as file:
            found = bson.decode_file_iter(file, codec_options=RAW)
            for name, noted in groupby(found, key=lambda change: str(change["c"])):
                keys: list[Any] = []
                for change in noted:
                    keys.append(change["k"])
                    if len(keys) == _KEYS_AT_ONCE:
                        yield name, keys
                        keys = []
                if keys:
                    yield name, keys
        taken.unlink()

    def _open(self) -> BinaryIO:
        return new_private(self._path)

    def _drain(self, until: str) -> bool:
        """Note what the stream has; True once it told of the mark `until`, False where it has no more yet."""
        while (change := self._stream.try_next()) is not None:
            kind = change["operationType"]
            if kind in _ENDS:
                raise Conflict(f"a collection went away ({kind}) while it was read; try the backup again")
            name, key = change["ns"]["coll"], change["documentKey"]["_id"]
            if name == _MARKS:
                if key == until:
                    return True
                continue
            self._spool.write(bson.encode({"c": name, "k": key}))
            self.count += 1
        return False
