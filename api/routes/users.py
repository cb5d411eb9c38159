"""Accounts: an administrator's, and everybody's own password."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from api.authentication import address_of, authenticate
from api.services import Admin, Caller, Services, ServicesOf
from core.errors import Conflict
from core.user import LONGEST_PASSWORD, Role

router = APIRouter(prefix="/v1/users", tags=["accounts"])


class UserView(BaseModel):
    """An account."""

    name: str
    role: Role


class Users(BaseModel):
    """By name."""

    users: list[UserView]


class NewUser(BaseModel):
    """An account to be made."""

    model_config = ConfigDict(extra="forbid")
    name: str
    password: str = Field(max_length=LONGEST_PASSWORD)
    role: Role


class Changes(BaseModel):
    """What an administrator may change; a new password ends the account's sessions and tokens."""

    model_config = ConfigDict(extra="forbid")
    role: Role | None = None
    password: str | None = Field(None, max_length=LONGEST_PASSWORD)


class OwnPassword(BaseModel):
    """One's own password, and the one to come."""

    model_config = ConfigDict(extra="forbid")
    old: str = Field(max_length=LONGEST_PASSWORD)
    new: str = Field(max_length=LONGEST_PASSWORD)


@router.get("/me")
def show_caller(caller: Caller) -> UserView:
    """Who asks."""
    return UserView(name=caller.name, role=caller.role)


@router.put("/me/password", status_code=204)
async def change_own_password(
    wanted: OwnPassword, request: Request, services: ServicesOf, caller: Caller
) -> None:
    """Change one's own password; every session and token of the account ends, this one too."""
    _refuse_of_file(caller.name, services, "whose password is in that file; change it there and start again")
    address = address_of(request)

    def change() -> None:
        proof = authenticate(services, caller.name, wanted.old, address=address, by="password")
        services.record.accounts.set_password(caller.name, wanted.new, proof=proof)
        services.record.audit.note("password", who=caller.name, account=caller.name)

    await services.logins.run(change)


@router.get("")
def list_users(services: ServicesOf, _: Admin) -> Users:
    """Every account."""
    return Users(users=[UserView(name=user.name, role=user.role) for user in services.record.accounts.all()])


@router.post("", status_code=201)
async def add_user(wanted: NewUser, services: ServicesOf, caller: Admin) -> UserView:
    """Make an account."""

    def add() -> UserView:
        user = services.record.accounts.add(wanted.name, wanted.password, wanted.role)
        services.record.audit.note("user added", who=caller.name, account=user.name, role=user.role)
        return UserView(name=user.name, role=user.role)

    return await services.logins.run(add)


@router.patch("/{name}")
async def change_user(name: str, changes: Changes, services: ServicesOf, caller: Admin) -> UserView:
    """Give an account another role, at once, or another password."""
    record = services.record
    if changes.password is not None:
        _refuse_of_file(name, services, "whose password is in that file; change it there and start again")

    def change() -> UserView:
        if changes.password is not None:
            record.accounts.set_password(name, changes.password)
            record.audit.note("password", who=caller.name, account=name)
        if changes.role is not None:
            before = record.accounts.set_role(name, changes.role)
            record.audit.note("role", who=caller.name, account=name, role=changes.role, before=before)
        user = record.accounts.get(name)
        return UserView(name=user.name, role=user.role)

    return await services.logins.run(change)


@router.delete("/{name}", status_code=204)
def remove_user(name: str, services: ServicesOf, caller: Admin) -> None:
    """Remove an account; its sessions, tokens and subscriptions end. Its labels stay, under its name."""
    _refuse_of_file(name, services, "who would come back; change that file")
    services.record.accounts.remove(name)
    services.record.audit.note("user removed", who=caller.name, account=name)


def _refuse_of_file(name: str, services: Services, why: str) -> None:
    """Raise Conflict for the account that each start makes as the secrets have it."""
    if name == services.settings.secrets.database.admin_username:
        raise Conflict(f"{name!r} is the administrator of secrets.json, {why}")
