"""The OpenAPI of the service: FastAPI's, with the problems that any route may answer."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

PROBLEMS = (400, 401, 403, 404, 409, 413, 422, 429, 503)
FASTAPIS_OWN = 422
_MEDIA_TYPE = "application/problem+json"
_SCHEMA = {
    "title": "Problem",
    "description": "What was received and what was expected (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "a stable word for programs, after urn:deep-asteroids:"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "for people"},
        "fields": {
            "type": "array",
            "description": "of a 422: which fields are wrong",
            "items": {
                "type": "object",
                "required": ["field", "expected"],
                "properties": {"field": {"type": "string"}, "expected": {"type": "string"}},
            },
        },
    },
}
_REPLACED = ("HTTPValidationError", "ValidationError")


def described(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """What tells the OpenAPI of an app; made once, when it is first asked for."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _add_problems(plain())
        return plain()

    return openapi


def _add_problems(schema: dict[str, Any]) -> None:
    schemas = schema["components"]["schemas"]
    for name in _REPLACED:
        schemas.pop(name, None)
    schemas["Problem"] = _SCHEMA
    content = {_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operations in schema["paths"].values():
        for operation in operations.values():
            for status in PROBLEMS:
                told = operation["responses"].get(str(status))
                if told is None or status == FASTAPIS_OWN:
                    operation["responses"][str(status)] = {
                        "description": HTTPStatus(status).phrase,
                        "content": content,
                    }
