"""The answer to an error: a problem for programs, a page for browsers, the way to the login for strangers."""

from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError
from pymongo.errors import PyMongoError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Scope

from api.problems import problem_of
from api.web.error_page import error_fragment, error_page
from core.errors import NotAuthenticated, ServiceError

LOGIN = "/login"


def install_answers(app: FastAPI) -> None:
    """Answer every error that a route raises."""
    kinds = (ServiceError, PyMongoError, OSError, RequestValidationError, ValidationError, HTTPException)
    for kind in kinds:
        app.add_exception_handler(kind, _handle)


def answer_to(error: Exception, scope: Scope) -> Response:
    """A problem, unless a browser asks for a page or for a part of one."""
    problem = problem_of(error)
    headers = Headers(scope=scope)
    if not is_browser(headers):
        return problem
    is_part = "HX-Request" in headers
    if isinstance(error, NotAuthenticated) and scope["path"] != LOGIN:
        if is_part:  # htmx goes there with the whole page
            return Response(status_code=problem.status_code, headers={"HX-Redirect": LOGIN})
        back = quote(_path(scope), safe="") if scope["method"] == "GET" else ""
        return RedirectResponse(f"{LOGIN}?next={back}" if back else LOGIN, status_code=303)
    show = error_fragment if is_part else error_page
    return show(problem, user=scope.get("state", {}).get("user"))


def is_browser(headers: Headers) -> bool:
    """Whether who asks wants a page, and not what programs get."""
    return "text/html" in headers.get("Accept", "") and "Authorization" not in headers


def _path(scope: Scope) -> str:
    query = scope["query_string"].decode("latin-1")
    return f"{scope['path']}?{query}" if query else str(scope["path"])


async def _handle(request: Request, error: Exception) -> Response:
    return answer_to(error, request.scope)
