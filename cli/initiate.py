"""`python -m cli.initiate KEY_FILE`: make the MongoDB of `DA_MONGO_URL` a replica set of one, with the
administrator.

For a mongod that somebody else starts with `--replSet NAME --keyFile FILE`, as docker-compose.yml does. Run
again, it changes nothing, or takes over a changed account.
"""

import argparse
import sys
import time
from pathlib import Path

from pymongo.errors import OperationFailure
from pymongo.uri_parser import parse_uri

from cli.local.replica_set import ReplicaSetOfOne
from core.errors import Misconfigured, ServiceError, Unavailable
from core.settings import Settings, load_settings

PATIENCE_S = 120.0


def main() -> int:
    """Return once the administrator can log in; 78 for what waiting does not mend."""
    parser = argparse.ArgumentParser(prog="initiate", description="Make a MongoDB a replica set of one.")
    parser.add_argument("key_file", type=Path, help="the key file that the mongod was started with")
    key_file: Path = parser.parse_args().key_file
    try:
        initiate(load_settings(), _key(key_file))
    except ServiceError as error:
        sys.stderr.write(f"initiate: {error}\n")
        return 78 if isinstance(error, Misconfigured) else 1
    return 0


def initiate(settings: Settings, key: str, *, patience_s: float = PATIENCE_S) -> None:
    """Take every step that is left; raises Misconfigured for another key, Unavailable after `patience_s`."""
    url = parse_uri(settings.required_mongo_url())
    account = settings.secrets.database
    (host, port), *others = url["nodelist"]
    name = url["options"].get("replicaSet")
    if others or name is None:
        raise Misconfigured("DA_MONGO_URL: expected one host, and a replicaSet, to make a replica set of one")
    replica_set = ReplicaSetOfOne(
        name,
        host,
        port or 27017,
        key=key,
        user=account.admin_username,
        password=account.admin_password.get_secret_value(),
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
