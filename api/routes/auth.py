"""Logging in."""

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from api.authentication import address_of, authenticate
from api.services import ServicesOf

router = APIRouter(tags=["accounts"])


class Login(BaseModel):
    """A name and a password."""

    username: str = Field(max_length=256)
    password: str = Field(max_length=1024)


class Granted(BaseModel):
    """A token, for the header `Authorization: Bearer TOKEN`."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  the scheme's name


@router.post("/auth")
async def log_in(login: Login, request: Request, services: ServicesOf) -> Granted:
    """A new token for a name and a password; 503 while too many others log in, 429 after many failures."""
    address = address_of(request)

    def granted() -> str:
        proof = authenticate(services, login.username, login.password, address=address, by="token")
        return services.record.accounts.issue(
            proof, days=services.settings.token_days, label="logged in"
        ).token

    return Granted(access_token=await services.logins.run(granted))
