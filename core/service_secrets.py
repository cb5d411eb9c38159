"""`secrets.json`: the passwords of the service's own servers, and its accounts at others'."""

import json
from pathlib import Path
from typing import Self
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from core.errors import Misconfigured


class Account(BaseModel):
    """A user name and a password of somebody else's service."""

    model_config = ConfigDict(extra="ignore")
    user: str = ""
    password: SecretStr = SecretStr("")


class DatabaseSecrets(BaseModel):
    """The administrator: of this service, and of the MongoDB that it starts itself."""

    model_config = ConfigDict(extra="ignore")
    admin_username: str
    admin_password: SecretStr


class FlowerSecrets(BaseModel):
    """Who may look at Flower."""

    model_config = ConfigDict(extra="ignore")
    user: str
    password: SecretStr


class Secrets(BaseModel):
    """`secrets.json`, in the shape that the predecessor published; what is optional beside kowalski is ours.

    A process of a deployment may have a file of its own, with its accounts at MongoDB and Redis (`mongo`,
    `redis`) and without the administrator's.
    """

    model_config = ConfigDict(extra="ignore")
    administrator: DatabaseSecrets | None = Field(None, validation_alias="database")
    kowalski: Account = Account()
    depot: Account = Field(Account(), description="of web servers that nights are fetched from")
    mail: Account = Field(Account(), description="of the server that notifications are mailed through")
    mongo: Account | None = Field(None, description="at MongoDB; none: the administrator's")
    redis: Account | None = Field(None, description="at Redis; none: the default user's, by redis_password")
    redis_password: SecretStr | None = None
    flower: FlowerSecrets | None = None
    metrics_token: SecretStr | None = Field(None, description="by which a collector may read metrics")

    @model_validator(mode="after")
    def _somebodys(self) -> Self:
        if not (self.administrator or self.mongo or self.redis or self.redis_password):
            raise ValueError("expected an administrator, or accounts at MongoDB or Redis")
        return self

    @property
    def database(self) -> DatabaseSecrets:
        """The administrator; raises Misconfigured where this process is not to know them."""
        if self.administrator is None:
            raise Misconfigured(
                "the secrets file of this process does not hold the administrator; expected one with "
                '{"database": {"admin_username": ..., "admin_password": ...}}'
            )
        return self.administrator

    @property
    def collector(self) -> str:
        """The metrics_token as text; empty for none."""
        return self.metrics_token.get_secret_value() if self.metrics_token else ""

    @property
    def accounts(self) -> dict[str, str | None]:
        """`USER:PASSWORD` for what may stand in braces in the servers' URLs; None where there is none."""
        password = self.redis_password
        default = None if password is None else _in_url("", password)
        return {
            "{database}": self._mongo_account(),
            "{redis}": default if self.redis is None else _in_url(self.redis.user, self.redis.password),
        }

    def _mongo_account(self) -> str | None:
        if self.mongo is not None:
            return _in_url(self.mongo.user, self.mongo.password)
        if self.administrator is not None:
            return _in_url(self.administrator.admin_username, self.administrator.admin_password)
        return None


def _in_url(user: str, password: SecretStr) -> str:
    return f"{quote(user, safe='')}:{quote(password.get_secret_value(), safe='')}"


def read_secrets(path: Path) -> Secrets:
    """Read a secrets.json; raises Misconfigured without quoting its contents."""
    shape = '{"database": {"admin_username": ..., "admin_password": ...}, "kowalski": {...}}'
    try:
        return Secrets.model_validate(json.loads(path.read_text("utf-8")))
    except FileNotFoundError as error:
        raise Misconfigured(f"no secrets file at {path}; expected JSON of the shape {shape}") from error
    except (ValueError, OSError) as error:
        raise Misconfigured(f"{path} can't be read as secrets; expected JSON of the shape {shape}") from error
