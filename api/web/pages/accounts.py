"""Everybody's accounts, and the audit log: an administrator's page."""

from collections.abc import Awaitable
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from api.routes.users import Changes, NewUser, add_user, change_user, remove_user
from api.services import Admin, Services, ServicesOf
from api.web.rendering import page
from core.errors import CallerError
from core.user import LONGEST_PASSWORD, ROLES, SHORTEST_PASSWORD, Role

router = APIRouter(prefix="/accounts", include_in_schema=False)

_AUDIT = 200  # entries that are shown

PasswordField = Annotated[str, Form(max_length=LONGEST_PASSWORD)]
RoleField = Annotated[Role, Form()]


@router.get("")
def accounts(request: Request, services: ServicesOf, _: Admin) -> Response:
    """The page."""
    return _page(request, services)


@router.post("")
async def add(
    request: Request,
    services: ServicesOf,
    caller: Admin,
    name: Annotated[str, Form(max_length=256)],
    password: PasswordField,
    role: RoleField,
) -> Response:
    """Make an account."""
    wanted = NewUser(name=name, password=password, role=role)
    return await _done(request, services, add_user(wanted, services, caller))


@router.post("/{name}/role")
async def set_role(
    name: str, request: Request, services: ServicesOf, caller: Admin, role: RoleField
) -> Response:
    """Give an account another role."""
    return await _done(request, services, change_user(name, Changes(role=role), services, caller))


@router.post("/{name}/password")
async def set_password(
    name: str, request: Request, services: ServicesOf, caller: Admin, password: PasswordField
) -> Response:
    """Give an account another password; its sessions end."""
    return await _done(request, services, change_user(name, Changes(password=password), services, caller))


@router.post("/{name}/remove")
def remove(name: str, request: Request, services: ServicesOf, caller: Admin) -> Response:
    """Remove an account."""
    try:
        remove_user(name, services, caller)
    except CallerError as error:
        return _page(request, services, fault=str(error))
    return RedirectResponse("/accounts", 303)


async def _done(request: Request, services: Services, change: Awaitable[Any]) -> Response:
    """Back to the page, which says what was wrong where something was."""
    try:
        await change
    except CallerError as error:
        return _page(request, services, fault=str(error))
    return RedirectResponse("/accounts", 303)


def _page(request: Request, services: Services, *, fault: str | None = None) -> Response:
    return page(
        request,
        "accounts.html",
        status=200 if fault is None else 400,
        fault=fault,
        users=services.record.accounts.all(),
        roles=ROLES,
        shortest=SHORTEST_PASSWORD,
        audit=services.record.audit.newest(_AUDIT),
    )
