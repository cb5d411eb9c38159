"""Nights: ingested with their metadata, and their ledger."""

from collections.abc import Callable
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool

from api.night_intake import Ingested, NightIntake
from api.services import Operator, ServicesOf
from api.spool import spooled
from core.errors import InvalidRequest, TooLarge
from cutouts.nights import is_night
from storage.night_ledger import (
    MissingId,
    NightLedger,
    NightSummary,
    Part,
    list_nights,
    read_ledger,
    read_missing,
)

router = APIRouter(prefix="/v1/nights", tags=["nights"])

_JSON_BYTES = 64 * 1024
_BINARY = {"type": "string", "format": "binary"}


class FromPrefix(BaseModel):
    """A night that lies in a folder of the service's host, or in a bucket."""

    model_config = ConfigDict(extra="forbid")
    prefix: str


class Nights(BaseModel):
    """The latest first; `next` is the cursor of the next page."""

    nights: list[NightSummary]
    next: str | None


class Night(BaseModel):
    """A night's ledger, with a page of the ids of which something did not come."""

    ledger: NightLedger
    missing: list[MissingId]
    next: str | None


_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"files": {"type": "array", "items": _BINARY}}}
            },
            "application/zip": {"schema": _BINARY},
            "application/gzip": {"schema": _BINARY},
            "application/json": {"schema": FromPrefix.model_json_schema()},
        },
    }
}


@router.get("")
def show_nights(
    services: ServicesOf, cursor: str | None = None, limit: Annotated[int, Query(ge=1, le=200)] = 30
) -> Nights:
    """Nights that anything is on record of."""
    found = list_nights(services.record, limit=limit, before=cursor)
    return Nights(nights=found, next=found[-1].night if len(found) == limit else None)


@router.get("/{night}")
def show_night(
    night: str,
    services: ServicesOf,
    lacking: Annotated[list[Part] | None, Query(description="name ids that lack one of these")] = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> Night:
    """The ledger of a night. `missing` names ids that lack a cutout or a row of metadata, a page at a time.

    `lacking` says of which parts; `ades` too where it is asked for.
    """
    _check(night)
    ledger = read_ledger(services.record, night)
    wanted: list[Part] = ["cutout", "metadata"] if lacking is None else lacking
    missing = read_missing(services.record, night, lacking=wanted, after=cursor, limit=limit)
    return Night(ledger=ledger, missing=missing, next=missing[-1].id if len(missing) == limit else None)


@router.post("/{night}", openapi_extra=_BODY)
async def ingest_night(
    night: str, request: Request, response: Response, services: ServicesOf, caller: Operator
) -> Ingested:
    """Ingest a night, or more of it: cutouts, tables, ADES documents, or zips and tarballs of them.

    Metadata are joined to cutouts, whichever comes first; cutouts that are new are scored by a job, of which
    202 and `Location` tell. What came before changes nothing: then `changed` is 0.
    """
    _check(night)
    take = _taker(request, NightIntake(services, night, caller))
    async with spooled(request, services.spool_dir) as body:
        told = await run_in_threadpool(take, body)
    if told.job is not None:
        response.status_code = 202
        response.headers["Location"] = f"/v1/jobs/{told.job}"
    return told


def _taker(request: Request, intake: NightIntake) -> Callable[[BinaryIO], Ingested]:
    """How to take in a body of this request's kind; raises InvalidRequest for another kind."""
    content_type = request.headers.get("Content-Type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return lambda body: intake.form(body, content_type)
    if kind in ("application/zip", "application/x-zip-compressed"):
        return intake.zip
    if kind in ("application/gzip", "application/x-gzip", "application/x-tar"):
        return intake.tar
    if kind == "application/json":
        return lambda body: intake.prefix(FromPrefix.model_validate_json(_read_all(body)).prefix)
    expected = "multipart/form-data, application/zip, application/gzip, application/x-tar or application/json"
    raise InvalidRequest(f"Content-Type {content_type[:80]!r} came; expected {expected}")


def _check(night: str) -> None:
    if not is_night(night):
        raise InvalidRequest(f"night {night[:40]!r}; expected a date as 20180927")


def _read_all(body: BinaryIO) -> bytes:
    data = body.read(_JSON_BYTES + 1)
    if len(data) > _JSON_BYTES:
        raise TooLarge(f"over {_JSON_BYTES} bytes of JSON; expected a prefix alone")
    return data
