"""Errors as RFC 9457 problems: what was received, what was expected, and never an internal."""

import errno
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from pymongo.errors import ConnectionFailure, ExecutionTimeout, WriteConcernError
from starlette.exceptions import HTTPException

from core import errors

_log = logging.getLogger(__name__)

RETRY_AFTER_S = 5
LATER_S = 300
_AWAY = (ConnectionFailure, WriteConcernError)  # nobody's fault, worth a retry
_STATUS: tuple[tuple[type[errors.ServiceError], HTTPStatus], ...] = (
    (errors.TooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (errors.Unsafe, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.NotFound, HTTPStatus.NOT_FOUND),
    (errors.Conflict, HTTPStatus.CONFLICT),
    (errors.NotAuthenticated, HTTPStatus.UNAUTHORIZED),
    (errors.NotAllowed, HTTPStatus.FORBIDDEN),
    (errors.TooOften, HTTPStatus.TOO_MANY_REQUESTS),
    (errors.CallerError, HTTPStatus.BAD_REQUEST),
    (errors.CutoutRejected, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
)
_DATABASE_AWAY = (
    "the database does not answer; a submission may not have been accepted: "
    "repeat it with the same Idempotency-Key, which makes it one job however often it comes"
)
_TOO_MUCH = (
    "there is too much to look through in the time that one request has; ask for less, such as for one night"
)
_FULL = (errno.ENOSPC, errno.EDQUOT)
_DISK_FULL = "the service's disk is full ({}); nothing was accepted, repeat it once there is room"
_ANYTHING = "something went wrong on our side; it is logged"


class Problem(JSONResponse):
    """A response of the type application/problem+json; `type` is a stable word for programs."""

    media_type = "application/problem+json"


def problem_of(error: Exception) -> Problem:
    """The answer to an error; one that nobody foresaw is logged and answered by 500 without its words."""
    if isinstance(error, RequestValidationError | ValidationError):
        return _fields(error)
    if isinstance(error, HTTPException):
        return _problem(HTTPStatus(error.status_code), str(error.detail), headers=error.headers)
    if isinstance(error, ExecutionTimeout):
        return _problem(HTTPStatus.SERVICE_UNAVAILABLE, _TOO_MUCH, kind="too-much")
    if isinstance(error, _AWAY):
        _log.warning("MongoDB is away: %s", type(error).__name__)
        return _problem(HTTPStatus.SERVICE_UNAVAILABLE, _DATABASE_AWAY)
    if isinstance(error, OSError) and error.errno in _FULL:
        _log.error("the disk is full: %s", error)
        return _problem(HTTPStatus.SERVICE_UNAVAILABLE, _DISK_FULL.format(error.strerror))
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return _problem(status, str(error), kind=_word(type(error)))
    _log.error("unforeseen error", exc_info=error)
    return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, _ANYTHING)


def _problem(
    status: HTTPStatus,
    detail: str,
    *,
    kind: str | None = None,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Problem:
    kind = kind or status.phrase.lower().replace(" ", "-")
    body = {"type": f"urn:deep-asteroids:{kind}", "title": status.phrase, "status": status, "detail": detail}
    return Problem(body | more, status, {**_HEADERS.get(status, {}), **(headers or {})})


_HEADERS: dict[HTTPStatus, dict[str, str]] = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": 'Bearer realm="deep-asteroids"'},
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": str(RETRY_AFTER_S)},
    HTTPStatus.TOO_MANY_REQUESTS: {"Retry-After": str(LATER_S)},
}


def _fields(error: RequestValidationError | ValidationError) -> Problem:
    fields = [
        {"field": ".".join(str(part) for part in fault["loc"]), "expected": fault["msg"]}
        for fault in error.errors()
    ]
    said = "; ".join(f"{field['field']}: {field['expected']}" for field in fields[:10])
    return _problem(HTTPStatus.UNPROCESSABLE_ENTITY, said, kind="invalid-fields", fields=fields[:100])


def _word(kind: type[Exception]) -> str:
    """`too-large` of TooLarge."""
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in kind.__name__).strip("-")
