"""A MongoDB replica set of one: the steps from an empty data folder to accounts that can log in."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from cli.local.mongo_accounts import MongoAccount, retire_administrators
from storage.database import AUTHENTICATION_FAILED

NOT_YET_INITIALIZED = 94


class ReplicaSetOfOne:
    """A mongod that was started with `--replSet NAME --keyFile FILE`, without the localhost exception.

    Each step is harmless when it has been taken before: so this may be killed anywhere and the next one
    completes it, and a changed user, password or port is taken over. They are taken as mongod's internal
    user, whose password is the key; so nobody else on its network can make the first account.

    Parameters
    ----------
    host, port : where its clients, and it itself, reach it.
    key : the contents of its key file.
    accounts : are made if they do not exist.
    retired : names of administrators that are taken away when all `accounts` are there.
    tls_authority : the certificate that the server's own is held to; none: it speaks without TLS.
    """

    def __init__(
        self,
        name: str,
        host: str,
        port: int,
        *,
        key: str,
        accounts: Sequence[MongoAccount],
        retired: Sequence[str] = (),
        tls_authority: Path | None = None,
    ) -> None:
        self._name, self._host, self._port = name, host, port
        self._key, self._accounts, self._retired = "".join(key.split()), accounts, retired
        self._tls: dict[str, Any] = (
            {} if tls_authority is None else {"tls": True, "tlsCAFile": str(tls_authority)}
        )

    def advance(self) -> bool:
        """Take the next step; whether there is a primary at this address with these accounts.

        Raises OperationFailure where the key is not the server's.
        """
        try:
            with self._connect("__system", self._key, "local") as client:
                if not self._is_primary_here(client):
                    return False
                for account in self._accounts:
                    account.ensure(client, self._can_log_in)
                retire_administrators(client, self._retired)
                return True
        except OperationFailure as error:
            if error.code == NOT_YET_INITIALIZED:  # still reading its configuration
                return False
            raise
        except PyMongoError:  # not up yet, or it closed the connections as it changed its state
            return False

    def _connect(self, user: str, password: str, source: str) -> MongoClient[dict[str, Any]]:
        return MongoClient(
            self._host,
            self._port,
            username=user,
            password=password,
            authSource=source,
            authMechanism="SCRAM-SHA-256",
            directConnection=True,
            serverSelectionTimeoutMS=1000,
            connectTimeoutMS=1000,
            socketTimeoutMS=20000,
            **self._tls,
        )

    def _is_primary_here(self, client: MongoClient[dict[str, Any]]) -> bool:
        """Whether it is the primary at this address; else start it on the way."""
        here = f"{self._host}:{self._port}"
        configuration = client.local["system.replset"].find_one()
        if configuration is None:
            members = [{"_id": 0, "host": here}]
            client.admin.command({"replSetInitiate": {"_id": self._name, "members": members}})
            return False
        if configuration["members"][0]["host"] != here:
            configuration["members"][0]["host"] = here
            configuration["version"] += 1
            client.admin.command({"replSetReconfig": configuration, "force": True})
            return False
        return bool(client.admin.command("hello").get("isWritablePrimary"))

    def _can_log_in(self, user: str, password: str) -> bool:
        try:
            with self._connect(user, password, "admin") as client:
                client.admin.command("ping")
        except OperationFailure as error:
            if error.code == AUTHENTICATION_FAILED:
                return False
            raise
        return True
