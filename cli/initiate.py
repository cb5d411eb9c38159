"""`python -m cli.initiate KEY_FILE`: make the MongoDB of `DA_MONGO_URL` a replica set of one, with accounts.

For a mongod that somebody else starts with `--replSet NAME --keyFile FILE`, as docker-compose.yml does. Run
again, it changes nothing, or takes over changed passwords and rights. Without `--accounts FILE` there is one
account, the administrator's of the secrets; with it each service gets its own, which may do what that service
needs, and MongoDB's administrator of before is taken away.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError
from pymongo.errors import OperationFailure
from pymongo.uri_parser import parse_uri

from cli.local.mongo_accounts import MongoAccount, administrator, service_accounts
from cli.local.replica_set import ReplicaSetOfOne
from core.errors import Misconfigured, ServiceError, Unavailable
from core.settings import Settings, load_settings
from storage.service_rights import SERVICES

PATIENCE_S = 120.0


class _AccountsFile(BaseModel):
    """As deploy/make_secrets.py writes it: passwords by service, and names of administrators of before."""

    model_config = ConfigDict(extra="forbid")
    passwords: dict[str, SecretStr]
    retired: tuple[str, ...] = ()


@dataclass(frozen=True)
class Accounts:
    """Which accounts there are to be, and whose administrator's accounts are not to be any more."""

    wanted: Sequence[MongoAccount]
    retired: Sequence[str] = ()

    @classmethod
    def of_secrets(cls, settings: Settings) -> Self:
        """The administrator alone."""
        account = settings.secrets.database
        return cls([administrator(account.admin_username, account.admin_password.get_secret_value())])

    @classmethod
    def read(cls, file: Path, database: str) -> Self:
        """One for each service; raises Misconfigured without quoting the file."""
        try:
            found = _AccountsFile.model_validate_json(file.read_bytes())
        except (OSError, ValidationError) as error:
            why = error if isinstance(error, OSError) else "it has another shape"
            raise Misconfigured(
                f"the accounts in {file} can't be read ({why}); deploy/make_secrets.py writes that file"
            ) from error
        passwords = {name: password.get_secret_value() for name, password in found.passwords.items()}
        if missing := [service for service in SERVICES if not passwords.get(service)]:
            raise Misconfigured(
                f"{file} has no password for {', '.join(missing)}; run python3 deploy/make_secrets.py"
            )
        return cls(service_accounts(passwords, database), found.retired)


def main() -> int:
    """Return once every account can log in; 78 for what waiting does not mend."""
    parser = argparse.ArgumentParser(prog="initiate", description="Make a MongoDB a replica set of one.")
    parser.add_argument("key_file", type=Path, help="the key file that the mongod was started with")
    parser.add_argument("--accounts", type=Path, help="passwords by service, of deploy/make_secrets.py")
    args = parser.parse_args()
    try:
        settings = load_settings()
        if args.accounts is None:
            accounts = Accounts.of_secrets(settings)
        else:
            accounts = Accounts.read(args.accounts, settings.mongo_database)
        initiate(settings, _key(args.key_file), accounts)
    except ServiceError as error:
        sys.stderr.write(f"initiate: {error}\n")
        return 78 if isinstance(error, Misconfigured) else 1
    return 0


def initiate(settings: Settings, key: str, accounts: Accounts, *, patience_s: float = PATIENCE_S) -> None:
    """Take every step that is left; raises Misconfigured for another key, Unavailable after `patience_s`."""
    url = parse_uri(settings.required_mongo_url())
    (host, port), *others = url["nodelist"]
    name, authority = url["options"].get("replicaSet"), url["options"].get("tlsCAFile")
    if others or name is None:
        raise Misconfigured("DA_MONGO_URL: expected one host, and a replicaSet, to make a replica set of one")
    replica_set = ReplicaSetOfOne(
        name,
        host,
        port or 27017,
        key=key,
        accounts=accounts.wanted,
        retired=accounts.retired,
        tls_authority=None if authority is None else Path(authority),
    )
    deadline = time.monotonic() + patience_s
    try:
        while not replica_set.advance():
            if time.monotonic() > deadline:
                raise Unavailable(f"no primary at {host}:{port} after {patience_s:.0f} s")
            time.sleep(0.2)
    except OperationFailure as error:
        raise Misconfigured(
            f"MongoDB at {host}:{port} refuses: {error.details}; is the key its own?"
        ) from error


def _key(file: Path) -> str:
    try:
        return file.read_text("ascii")
    except (OSError, UnicodeError) as error:
        raise Misconfigured(f"the key file {file} can't be read: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
