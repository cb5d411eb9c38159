"""One's own account: the password, tokens for programs, and of what one is told."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from api.routes.subscriptions import WantedSubscription, retry, send_trial, subscribe, unsubscribe
from api.routes.tokens import WantedToken, make_token, revoke
from api.routes.users import OwnPassword, change_own_password
from api.services import Operator, Owner, ProofOf, Services, ServicesOf
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


@router.post("/me/subscriptions")
def add_subscription(
    request: Request,
    services: ServicesOf,
    caller: Operator,
    name: Annotated[str, Form(max_length=100)],
    target: Annotated[str, Form(max_length=2000)],
    text: Annotated[str, Form(alias="filter", max_length=4000)] = "",
) -> Response:
    """Be told of new matches, or without a filter of one's jobs that end; the secret is shown this once."""
    try:
        wanted = WantedSubscription(
            name=name,
            event="matches" if text.strip() else "jobs",
            filter=text,
            webhook=target if "://" in target else None,
            mail=None if "://" in target else target,
        )
        made = subscribe(wanted, services, caller)
    except ValidationError as error:
        fault = "; ".join(str(found["msg"]) for found in error.errors())
        return _page(request, services, caller, fault=fault, status=400)
    except CallerError as error:
        return _page(request, services, caller, fault=str(error), status=400)
    return _page(request, services, caller, secret=made.secret)


@router.post("/me/subscriptions/{subscription}/{change}")
def change_subscription(
    subscription: str, change: Literal["remove", "retry", "trial"], services: ServicesOf, caller: Operator
) -> Response:
    """End a subscription, send again what was given up, or send a message without matches."""
    {"remove": unsubscribe, "retry": retry, "trial": send_trial}[change](subscription, services, caller)
    return RedirectResponse("/me", 303)


def _page(
    request: Request,
    services: Services,
    caller: User,
    *,
    fault: str | None = None,
    made: str | None = None,
    secret: str | None = None,
    status: int = 200,
) -> Response:
    subscriptions = services.record.subscriptions.all(owner=caller.name)
    return page(
        request,
        "me.html",
        status=status,
        fault=fault,
        made=made,
        secret=secret,
        subscriptions=subscriptions,
        messages=services.record.deliveries.counts([found.id for found in subscriptions]),
        tokens=services.record.accounts.tokens_of(caller.name),
        scopes=[role for role in ROLES if caller.may(role)],
        shortest=SHORTEST_PASSWORD,
    )
