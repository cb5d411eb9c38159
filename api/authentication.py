"""Checking a name and a password: bounded in number, noted in the audit log, whatever they open."""

from fastapi import Request

from api.services import Services
from core.errors import NotAuthenticated
from core.user import Proof

_SHOWN = 3  # characters


def address_of(request: Request) -> str:
    """Where a request comes from; behind a proxy that the settings name, what that says."""
    return request.client.host if request.client else "unknown"


def authenticate(services: Services, name: str, password: str, *, address: str, by: str) -> Proof:
    """A proof of the account of a name and its password; slow on purpose, so to be run by `services.logins`.

    `by` says what is opened, for the audit log. Raises NotAuthenticated, and TooOften for who has failed too
    often lately, before the password is looked at.
    """
    record = services.record
    record.login_attempts.refuse_flood(name, address)
    try:
        proof = record.accounts.check(name, password)
    except NotAuthenticated:
        record.login_attempts.failed(name, address)
        record.audit.note("login refused", who=_noted(services, name), address=address, by=by)
        raise
    record.audit.note("login", who=name, address=address, by=by)
    return proof


def _noted(services: Services, name: str) -> str:
    """A name for the audit log; of one that is no account's the beginning, as people type passwords there."""
    return name if services.record.accounts.is_known(name) else f"{name[:_SHOWN]}… (no account)"
