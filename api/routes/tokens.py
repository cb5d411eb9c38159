"""The caller's own tokens."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel

from api.services import Caller, ServicesOf, Token
from core.errors import NotFound

router = APIRouter(prefix="/v1/tokens", tags=["accounts"])


class TokenView(BaseModel):
    """A token by its id, which is no secret."""

    id: str
    created: datetime
    expires: datetime


class Tokens(BaseModel):
    """Newest first."""

    tokens: list[TokenView]


@router.get("")
def list_tokens(services: ServicesOf, caller: Caller) -> Tokens:
    """The tokens that the caller's account has."""
    found = services.record.accounts.tokens_of(caller.name)
    return Tokens(tokens=[TokenView(id=t.id, created=t.created, expires=t.expires) for t in found])


@router.delete("/current", status_code=204)
def log_out(services: ServicesOf, token: Token) -> None:
    """Revoke the token that this request came with."""
    services.record.accounts.revoke_token(token)


@router.delete("/{token_id}", status_code=204)
def revoke(token_id: str, services: ServicesOf, caller: Caller) -> None:
    """Revoke one of the caller's tokens."""
    if not services.record.accounts.revoke(caller.name, token_id):
        raise NotFound(f"you have no token with the id {token_id!r}")
