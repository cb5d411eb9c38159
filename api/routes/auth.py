"""Logging in."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

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
async def log_in(login: Login, services: ServicesOf) -> Granted:
    """A new token for a name and a password; 503 while too many others log in."""

    def granted() -> str:
        days = services.settings.token_days
        return services.record.accounts.log_in(login.username, login.password, days=days)

    return Granted(access_token=await services.logins.run(granted))
