"""Logging in and out: by a form, or as the predecessor's client does, by JSON and a cookie."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import ValidationError

from api.authentication import address_of, authenticate
from api.credentials import SESSION_COOKIE
from api.routes.auth import Login
from api.services import Caller, Services, ServicesOf, Session
from api.web.rendering import page
from core.errors import InvalidRequest, NotAuthenticated, TooOften

router = APIRouter(tags=["accounts"])

_FORM = "application/x-www-form-urlencoded"
_DAY_S = 86_400


@router.get("/login", include_in_schema=False)
def login_page(request: Request, next_page: Annotated[str, Query(alias="next")] = "/") -> Response:
    """The form."""
    return page(request, "login.html", next=own_path(next_page), name="", fault=None)


@router.post("/login")
async def log_in(request: Request, services: ServicesOf) -> Response:
    """Open a session: its cookie, and `{"message": "success"}` to JSON or the next page to a form."""
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != _FORM:
        login = Login.model_validate_json(await request.body())
        return _with_session(
            JSONResponse({"message": "success"}), request, services, await _open(request, services, login)
        )
    form = await request.form()
    name, next_page = str(form.get("username", "")), own_path(str(form.get("next", "/")))
    try:
        login = Login.model_validate({"username": name, "password": str(form.get("password", ""))})
        session = await _open(request, services, login)
    except (NotAuthenticated, TooOften, ValidationError) as error:
        told = str(error) if not isinstance(error, ValidationError) else "wrong user name or password"
        status = 429 if isinstance(error, TooOften) else 401
        return page(request, "login.html", status=status, next=next_page, name=name[:256], fault=told)
    return _with_session(RedirectResponse(next_page, 303), request, services, session)


@router.post("/logout")
def log_out(services: ServicesOf, caller: Caller, session: Session) -> Response:
    """End the session."""
    if session is None:
        raise InvalidRequest("this request came with a token; revoke it with DELETE /v1/tokens/current")
    services.record.sessions.close(session)
    services.record.audit.note("logout", who=caller.name)
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(SESSION_COOKIE, httponly=True, samesite="lax")
    return answer


def own_path(path: str) -> str:
    """A path of this site to go on to; `/` for anything that a browser could take for another site."""
    is_own = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_own and "\\" not in path else "/"


async def _open(request: Request, services: Services, login: Login) -> str:
    address = address_of(request)

    def opened() -> str:
        proof = authenticate(services, login.username, login.password, address=address, by="session")
        return services.record.sessions.open(proof, days=services.settings.session_days)

    return await services.logins.run(opened)


def _with_session(answer: Response, request: Request, services: Services, session: str) -> Response:
    answer.set_cookie(
        SESSION_COOKIE,
        session,
        max_age=int(services.settings.session_days * _DAY_S),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return answer
