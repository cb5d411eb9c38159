"""The predecessors' call for streaks, so that their scripts work against this service."""

from collections.abc import Iterable, Iterator
from typing import Any

from bson import json_util
from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from api.services import Services, ServicesOf
from api.streamed import streamed
from core.decision import classifier_of
from storage.database import Document
from storage.streak_documents import streak_documents
from storage.streaks_query import checked_filter, checked_projection

router = APIRouter(tags=["as of the predecessors"])

_TIMES_IN_MS = json_util.LEGACY_JSON_OPTIONS
"""{"$date": milliseconds}, as the drivers of their time wrote it; those of today read it, too."""


class AskedStreaks(BaseModel):
    """A query on documents, what of each is wanted, and how many at most; 0 for all."""

    model_config = ConfigDict(extra="forbid")
    filter: dict[str, Any] | None = Field(None, examples=[{"jd": {"$gt": 2458428.5}, "rb": {"$gte": 0.5}}])
    projection: dict[str, Any] | None = Field(None, examples=[{"_id": 1, "rb": 1, "sl": 1}])
    limit: int | None = Field(None, ge=0, lt=2**31)


@router.post("/streaks", response_class=StreamingResponse)
async def find_streaks(asked: AskedStreaks, services: ServicesOf) -> StreamingResponse:
    """The documents of streaks that a filter is true of, by id: a JSON array, in bson's extended JSON.

    The filter is of MongoDB's language: comparisons, `$and`, `$or`, `$nor`, `$not`, `$in`, `$nin`, `$exists`
    and `$geoWithin` on known fields. An answer that breaks off is not complete.
    """

    def chunks() -> Iterator[bytes]:
        families = _families(services)
        query = checked_filter(asked.filter or {}, families)
        projection = checked_projection(asked.projection or {}, families)
        found = streak_documents(services.record, query, projection, limit=asked.limit or None)
        return _array(found)

    return await streamed(services.scans, chunks, media_type="application/json")


def _families(services: Services) -> set[str]:
    """Fields that hold scores: the families of the settings, and those of versions in production."""
    return set(services.settings.families) | set(map(classifier_of, services.record.models.production()))


def _array(batches: Iterable[list[Document]]) -> Iterator[bytes]:
    before = b"["
    for documents in batches:
        texts = (json_util.dumps(document, json_options=_TIMES_IN_MS) for document in documents)
        yield before + ",".join(texts).encode()
        before = b","
    yield b"]" if before == b"," else b"[]"
