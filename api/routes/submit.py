"""Submitting cutouts to be scored: by upload or by reference."""

from collections.abc import Callable
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from api.intake import ByReference, Intake, Submission, options_of
from api.services import Operator, Services, ServicesOf
from api.spool import spooled
from core.errors import InvalidRequest, TooLarge
from core.user import User
from cutouts.instruments import find_instrument

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

MAX_JSON_BYTES = 128 * 2**20
_KINDS = "multipart/form-data, application/zip or application/json"
_BINARY = {"type": "string", "format": "binary"}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "files": {"type": "array", "items": _BINARY},
                        "models": {"type": "string", "description": "such as rb@1,sl@1; none for production"},
                        "priority": {"type": "string", "enum": ["live", "bulk"]},
                        "instrument": {"type": "string", "description": "a profile's name, such as ztf"},
                        "cascade": {
                            "type": "number",
                            "description": "sl is run only where rb is that or above; 0 for everywhere",
                        },
                    },
                }
            },
            "application/zip": {"schema": _BINARY},
            "application/json": {"schema": ByReference.model_json_schema(ref_template="#/$defs/{model}")},
        },
    }
}


class Accepted(BaseModel):
    """A promise: every item gets one score per version, or a rejection with a reason.

    Where `cascade` is a number, versions of other families than rb are not run where rb is below it.
    """

    job: str
    items: int
    ignored: list[str]
    ignored_count: int
    versions: list[str]
    cascade: float | None


@router.post("/score", status_code=202, openapi_extra=_BODY)
async def submit_score(
    request: Request,
    response: Response,
    services: ServicesOf,
    caller: Operator,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> Accepted:
    """Score JPEG, PNG and FITS cutouts: one, many, a zip of them, or references to them.

    Answers 202 once the record is safe. `models`, `priority`, `instrument` and `cascade` are form fields,
    query parameters of a zip, or members of the JSON object. The same Idempotency-Key with the same contents
    gives the first job again.
    """
    take = _taker(request, Intake(services))
    async with spooled(request, services.spool_dir) as body:
        accepted = await run_in_threadpool(_submit, take, body, services, caller, idempotency_key)
    response.headers["Location"] = f"/v1/jobs/{accepted.job}"
    return accepted


def _taker(request: Request, intake: Intake) -> Callable[[BinaryIO], Submission]:
    """How to take in a body of this request's kind; raises InvalidRequest for another kind."""
    content_type = request.headers.get("Content-Type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return lambda body: intake.form(body, content_type)
    if kind in ("application/zip", "application/x-zip-compressed"):
        query = request.query_params
        options = options_of({name: query.getlist(name) for name in query})
        return lambda body: intake.archive(body, options)
    if kind == "application/json":
        return lambda body: intake.references(_read_all(body))
    raise InvalidRequest(f"Content-Type {content_type[:80]!r} came; expected {_KINDS}")


def _submit(
    take: Callable[[BinaryIO], Submission],
    body: BinaryIO,
    services: Services,
    caller: User,
    key: str | None,
) -> Accepted:
    submission = take(body)
    job = services.submitter.submit_score(
        submission.items,
        owner=caller.name,
        models=submission.options.models,
        priority=submission.options.priority,
        instrument=find_instrument(submission.options.instrument, services.settings.instruments),
        cascade=submission.options.cascade,
        idempotency_key=key,
        fingerprint=submission.fingerprint,
    )
    return Accepted(
        job=job.id,
        items=job.items,
        ignored=submission.ignored_named,
        ignored_count=len(submission.ignored),
        versions=list(job.versions),
        cascade=job.cascade,
    )


def _read_all(body: BinaryIO) -> bytes:
    data = body.read(MAX_JSON_BYTES + 1)
    if len(data) > MAX_JSON_BYTES:
        raise TooLarge(f"over {MAX_JSON_BYTES} bytes of JSON; expected fewer references per job")
    return data
