"""Reading the whole record as it was at one moment, while others write.

Collections are read one after the other, which shows each document as it was at some time. Then the documents
that were changed meanwhile are read again, in a snapshot: all at one moment, the moment of the backup.
What the reading found is so made good, however long it took; the snapshot is short, for a server keeps
the past for minutes only.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import bson
from bson import json_util
from pymongo.client_session import ClientSession
from pymongo.read_concern import ReadConcern

from core.errors import Unavailable
from storage.backup.changes import LEFT_OUT, RAW, Changes, RawDatabase
from storage.backup.manifest import HashedFile, KeptCollection, KeptFile
from storage.database import Mongo

_T = TypeVar("_T")
CHANGES = "changes.bson"
_AT_ONCE = 1000
CATCH_UPS = 5
FEW = 2_000
"""Changed documents that are read again within a snapshot; of more, some are read before it."""


def dump(
    database: Mongo, folder: Path, *, tick: Callable[[], None], tell: Callable[[str], None]
) -> tuple[dict[str, KeptCollection], dict[str, KeptFile]]:
    """Write a database into `collections/NAME.bson`, documents one after the other, and `changes.bson`.

    A file of a collection is what `bsondump` reads. A change is {c: collection, k: key, d: document}, without
    `d` where there is no such document; of several with a key the last one counts. `tick` is called often.
    Raises Conflict where a collection is dropped meanwhile, and pymongo's errors.
    """
    raw = database.with_options(codec_options=RAW, read_concern=ReadConcern("majority"))
    collections = _collections(database)
    files: dict[str, KeptFile] = {}
    with database.client.start_session(causal_consistency=True) as session:
        changes = Changes(raw, session, folder / ".changed")
        try:
            changes.until_now()  # the stream begins now; what a majority has, which is read, is older
            for name in collections:
                tell(f"reading {name}")
                with HashedFile(folder / _path(name)) as written:
                    for document in _watched(
                        raw[name].find(session=session, batch_size=_AT_ONCE), tick, changes
                    ):
                        written.write(document.raw)
                        written.holds += 1
                    files[_path(name)] = written.close()
            with HashedFile(folder / CHANGES) as written:
                for _ in range(CATCH_UPS):
                    changes.until_now()
                    if changes.count <= FEW:
                        break
                    tell(f"reading {changes.count:,} documents again, which were changed meanwhile")
                    _write_again(raw, lambda _: session, _watched(changes.take(), tick, changes), written)
                counts = _finish(database, changes, written, tick, session=session)
                files[CHANGES] = written.close()
        finally:
            changes.close()
    options = {name: collections.get(name, {}) for name in counts}
    return {n: KeptCollection(count=counts[n], options=options[n]) for n in counts}, files


def _finish(
    database: Mongo,
    changes: Changes,
    written: HashedFile,
    tick: Callable[[], None],
    *,
    session: ClientSession,
) -> dict[str, int]:
    """Write again what is to be as it was at the moment that begins here; counts of all documents then.

    Of capped collections a server gives no snapshot: they are as they are a moment later.
    """
    raw = database.with_options(codec_options=RAW)
    with database.client.start_session(snapshot=True) as moment:
        # The first read decides when the moment is; that of a collection which is not there decides nothing.
        if database["holds"].find_one({}, {"_id": True}, session=moment) is None:
            raise Unavailable("MongoDB does not show a snapshot what was written before it; try again")
        changes.until_now()
        collections = _collections(database)

        def reading(name: str) -> ClientSession:
            return session if collections.get(name, {}).get("capped") else moment

        _write_again(raw, reading, _ticked(changes.take(), tick), written)
        return {name: database[name].count_documents({}, session=reading(name)) for name in collections}


def _write_again(
    raw: RawDatabase,
    reading: Callable[[str], ClientSession],
    changed: Iterable[tuple[str, list[Any]]],
    written: HashedFile,
) -> None:
    for name, keys in changed:
        there = {}
        for document in raw[name].find({"_id": {"$in": keys}}, session=reading(name)):
            there[_bytes(document["_id"])] = document
        for key in keys:
            found = there.get(_bytes(key))
            change = {"c": name, "k": key} | ({} if found is None else {"d": found})
            written.write(bson.encode(change))
            written.holds += 1


def _bytes(key: Any) -> bytes:
    return bson.encode({"": key})


def _collections(database: Mongo) -> dict[str, dict[str, Any]]:
    """The options of each collection that is kept, as plain JSON."""
    found = database.list_collections(filter={"type": "collection"})
    return {
        c["name"]: json.loads(json_util.dumps(c.get("options", {})))
        for c in sorted(found, key=lambda c: str(c["name"]))
        if c["name"] not in LEFT_OUT and not c["name"].startswith("system.")
    }


def _path(name: str) -> str:
    return f"collections/{name}.bson"


def _watched(found: Iterable[_T], tick: Callable[[], None], changes: Changes) -> Iterator[_T]:
    for n, value in enumerate(found):
        if n % _AT_ONCE == 0:
            tick()
            changes.look()
        yield value


def _ticked(found: Iterable[_T], tick: Callable[[], None]) -> Iterator[_T]:
    for value in found:
        tick()
        yield value
