"""Logging in."""

import threading
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.services import ServicesOf

router = APIRouter(tags=["accounts"])

_AT_ONCE = threading.BoundedSemaphore(4)  # argon2id takes 64 MB for each password


class Login(BaseModel):
    """A name and a password."""

    username: str = Field(max_length=256)
    password: str = Field(max_length=1024)


class Granted(BaseModel):
    """A token, for the header `Authorization: Bearer TOKEN`."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  the scheme's name


@router.post("/auth")
def log_in(login: Login, services: ServicesOf) -> Granted:
    """A new token for a name and a password."""
    with _AT_ONCE:
        days = services.settings.token_days
        return Granted(
            access_token=services.record.accounts.log_in(login.username, login.password, days=days)
        )
