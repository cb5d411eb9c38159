"""The caller's own tokens."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from api.services import Owner, ProofOf, Services, ServicesOf, Token
from core.errors import NotFound
from core.user import Role, lesser
from storage.accounts import TokenInfo

router = APIRouter(prefix="/v1/tokens", tags=["accounts"])


class TokenView(BaseModel):
    """A token by its id, which is no secret."""

    id: str
    created: datetime
    expires: datetime
    label: str
    scope: Role | None = Field(description="the role that it may do no more than; the account's own without")


class Tokens(BaseModel):
    """Newest first."""

    tokens: list[TokenView]


class WantedToken(BaseModel):
    """A token for a program."""

    model_config = ConfigDict(extra="forbid")
    label: str = Field("", max_length=100, description="what it is for")
    scope: Role = Field("viewer", description="the role that it may do no more than")
    days: float = Field(90.0, gt=0, le=3660)


class NewToken(BaseModel):
    """Shown once."""

    access_token: str
    scope: Role
    expires: datetime


@router.get("")
def list_tokens(services: ServicesOf, caller: Owner) -> Tokens:
    """The tokens that the caller's account has; a token that has a scope does not see them."""
    found = services.record.accounts.tokens_of(caller.name)
    return Tokens(
        tokens=[
            TokenView(id=t.id, created=t.created, expires=t.expires, label=t.label, scope=t.scope)
            for t in found
        ]
    )


@router.post("", status_code=201)
def make_token(wanted: WantedToken, services: ServicesOf, proof: ProofOf) -> NewToken:
    """A token that may do what its scope and the caller's role may, both.

    Made with a token it ends with that one at the latest; `expires` says when.
    """
    scope = lesser(proof.user.role, wanted.scope)
    made = services.record.accounts.issue(proof, days=wanted.days, label=wanted.label, scope=scope)
    services.record.audit.note("token made", who=proof.user.name, label=wanted.label, scope=scope)
    return NewToken(access_token=made.token, scope=scope, expires=made.expires)


@router.delete("/current", status_code=204)
def log_out(services: ServicesOf, token: Token) -> None:
    """Revoke the token that this request came with."""
    if token is None:
        raise NotFound("this request came with a session, not with a token; log out at POST /logout")
    _note(services, services.record.accounts.revoke_token(token))


@router.delete("/{token_id}", status_code=204)
def revoke(token_id: str, services: ServicesOf, caller: Owner) -> None:
    """Revoke one of the caller's tokens; a token that has a scope revokes itself alone, as `current`."""
    revoked = services.record.accounts.revoke(caller.name, token_id)
    if revoked is None:
        raise NotFound(f"you have no token with the id {token_id[:80]!r}")
    _note(services, revoked)


def _note(services: Services, revoked: TokenInfo | None) -> None:
    if revoked is not None:
        services.record.audit.note("token revoked", who=revoked.user, token=revoked.id, label=revoked.label)
