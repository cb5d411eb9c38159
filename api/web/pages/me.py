"""One's own account: the password, and tokens for programs."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from api.routes.tokens import WantedToken, make_token, revoke
from api.routes.users import OwnPassword, change_own_password
from api.services import Owner, ProofOf, Services, ServicesOf
from api.web.rendering import page
from core.errors import CallerError, Conflict
from core.user import LONGEST_PASSWORD, ROLES, SHORTEST_PASSWORD, Role, User

router = APIRouter(include_in_schema=False)


@router.get("/me")
def me(request: Request, services: ServicesOf, caller: Owner) -> Response:
    """The page."""
    return _page(request, services, caller)


@router.post("/me/password")
async def change_password(
    request: Request,
    services: ServicesOf,
    caller: Owner,
    old: Annotated[str, Form(max_length=LONGEST_PASSWORD)],
    new: Annotated[str, Form(max_length=LONGEST_PASSWORD)],
) -> Response:
    """Change it; every session ends, so the login comes next."""
    try:
        await change_own_password(OwnPassword(old=old, new=new), request, services, caller)
    except CallerError as error:
        return _page(request, services, caller, fault=str(error), status=400)
    return RedirectResponse("/login", 303)


@router.post("/me/tokens")
def add_token(
    request: Request,
    services: ServicesOf,
    caller: Owner,
    proof: ProofOf,
    label: Annotated[str, Form(max_length=100)],
    scope: Annotated[Role, Form()],
    days: Annotated[float, Form(gt=0, le=3660)],
) -> Response:
    """Make a token and show it, this once."""
    try:
        made = make_token(WantedToken(label=label, scope=scope, days=days), services, proof)
    except Conflict as error:
        return _page(request, services, caller, fault=str(error), status=409)
    return _page(request, services, caller, made=made.access_token)


@router.post("/me/tokens/{token_id}/revoke")
def revoke_token(token_id: str, services: ServicesOf, caller: Owner) -> Response:
    """Revoke one of one's own tokens."""
    revoke(token_id, services, caller)
    return RedirectResponse("/me", 303)


def _page(
    request: Request,
    services: Services,
    caller: User,
    *,
    fault: str | None = None,
    made: str | None = None,
    status: int = 200,
) -> Response:
    return page(
        request,
        "me.html",
        status=status,
        fault=fault,
        made=made,
        tokens=services.record.accounts.tokens_of(caller.name),
        scopes=[role for role in ROLES if caller.may(role)],
        shortest=SHORTEST_PASSWORD,
    )
