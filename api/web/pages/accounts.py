"""Everybody's accounts, and the audit log: an administrator's page."""

from collections.abc import Awaitable
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from api.routes.users import Changes, NewUser, add_user, change_user, remove_user
from api.services import Admin, Services, ServicesOf
from api.web.rendering import page
from core.errors import CallerError
from core.user import LONGEST_PASSWORD, ROLES, SHORTEST_PASSWORD, Role

router = APIRouter(prefix="/accounts", include_in_schema=False)

_AUDIT = 200  # entries on a page

PasswordField = Annotated[str, Form(max_length=LONGEST_PASSWORD)]
RoleField = Annotated[Role, Form()]


@router.get("")
def accounts(
    request: Request,
    services: ServicesOf,
    _: Admin,
    what: Annotated[str | None, Query(max_length=80)] = None,
    before: Annotated[str | None, Query(max_length=80)] = None,
) -> Response:
    """The page; of the audit log what is asked for, from where a page before ended on."""
    return _page(request, services, what=what or None, before=before)


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


def _page(
    request: Request,
    services: Services,
    *,
    fault: str | None = None,
    what: str | None = None,
    before: str | None = None,
) -> Response:
    audit = services.record.audit.read(limit=_AUDIT, what=what, before=before)
    return page(
        request,
        "accounts.html",
        status=200 if fault is None else 400,
        fault=fault,
        users=services.record.accounts.all(),
        roles=ROLES,
        shortest=SHORTEST_PASSWORD,
        audit=audit.entries,
        kinds=services.record.audit.kinds(),
        what=what,
        older=None if audit.next is None else urlencode({"what": what or "", "before": audit.next}),
    )
