"""`secrets.json`: the passwords of the service's own servers, and its accounts at others'."""

import json
from pathlib import Path
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, SecretStr

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
    """`secrets.json`, in the shape that the predecessor published; the last five are ours and optional."""

    model_config = ConfigDict(extra="ignore")
    database: DatabaseSecrets
    kowalski: Account = Account()
    depot: Account = Field(Account(), description="of web servers that nights are fetched from")
    mail: Account = Field(Account(), description="of the server that notifications are mailed through")
    redis_password: SecretStr | None = None
    flower: FlowerSecrets | None = None
    metrics_token: SecretStr | None = Field(None, description="by which a collector may read metrics")

    @property
    def collector(self) -> str:
        """The metrics_token as text; empty for none."""
        return self.metrics_token.get_secret_value() if self.metrics_token else ""

    @property
    def accounts(self) -> dict[str, str | None]:
        """`USER:PASSWORD` for what may stand in braces in the servers' URLs; None where there is none."""
        password = self.redis_password.get_secret_value() if self.redis_password else None
        database = (self.database.admin_username, self.database.admin_password.get_secret_value())
        return {
            "{database}": ":".join(quote(part, safe="") for part in database),
            "{redis}": password and f":{quote(password, safe='')}",
        }


def read_secrets(path: Path) -> Secrets:
    """Read a secrets.json; raises Misconfigured without quoting its contents."""
    shape = '{"database": {"admin_username": ..., "admin_password": ...}, "kowalski": {...}}'
    try:
        return Secrets.model_validate(json.loads(path.read_text("utf-8")))
    except FileNotFoundError as error:
        raise Misconfigured(f"no secrets file at {path}; expected JSON of the shape {shape}") from error
    except (ValueError, OSError) as error:
        raise Misconfigured(f"{path} can't be read as secrets; expected JSON of the shape {shape}") from error
