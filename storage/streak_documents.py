"""The documents of streaks as the predecessors' scripts read them: by a checked query, in bounded memory."""

from collections.abc import Iterator, Mapping

from pymongo.errors import ExecutionTimeout, OperationFailure

from core.errors import InvalidRequest
from storage.database import Document
from storage.record import Record
from storage.selection import PATIENCE_MS

AT_ONCE = 1000
_BAD_VALUE = 2


def streak_documents(
    record: Record, query: Document, projection: Mapping[str, bool], *, limit: int | None
) -> Iterator[list[Document]]:
    """Documents by id, AT_ONCE at most at a time, `limit` of them in all; `plausible` is 1 or 0.

    Raises InvalidRequest for a shape that encloses nothing, and pymongo's ExecutionTimeout where a look takes
    longer than PATIENCE_MS.
    """
    fields = {name: wanted for name, wanted in projection.items() if name != "_id"}
    shows_id = projection.get("_id", True)
    wanted = fields or ({"_id": True} if projection and shows_id else None)
    after: str | None = None
    left = limit
    while left is None or left > 0:
        size = AT_ONCE if left is None else min(AT_ONCE, left)
        found = _look(
            record, query if after is None else {"$and": [{"_id": {"$gt": after}}, query]}, wanted, size
        )
        if not found:
            return
        after = found[-1]["_id"]
        left = None if left is None else left - len(found)
        yield [_as_before(document, shows_id=shows_id) for document in found]
        if len(found) < size:
            return


def _look(record: Record, query: Document, fields: Mapping[str, bool] | None, size: int) -> list[Document]:
    cutouts = record.database["cutouts"]
    try:
        return list(cutouts.find(query, fields, max_time_ms=PATIENCE_MS).sort("_id", 1).limit(size))
    except ExecutionTimeout:
        raise
    except OperationFailure as error:
        if error.code != _BAD_VALUE:
            raise
        raise InvalidRequest(
            f"MongoDB can't ask this: {str(error.details and error.details.get('errmsg'))[:300]}"
        ) from error


def _as_before(document: Document, *, shows_id: bool) -> Document:
    if isinstance(document.get("plausible"), bool):
        document["plausible"] = int(document["plausible"])
    if not shows_id:
        del document["_id"]
    return document
