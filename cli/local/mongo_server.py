"""The embedded MongoDB: a replica set of one, with accounts, on loopback."""

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from cli.local.binaries import find_mongod
from cli.local.embedded import EmbeddedServer
from cli.local.ports import LOOPBACK
from cli.local.private_files import private_folder, write_private

REPLICA_SET = "streaks"
AUTHENTICATION_FAILED = 18
NOT_YET_INITIALIZED = 94


class EmbeddedMongo(EmbeddedServer):
    """A mongod that keeps what it acknowledged with `w: majority`, which nobody enters without a password.

    Each start takes the same steps, each of which is harmless when it has been done before: so a start may be
    killed anywhere and the next one completes it, and a changed user or password is taken over. The steps are
    taken as mongod's internal user, whose password is the key file; so the localhost exception, through which
    anybody on the machine could make the first account, is off.

    Parameters
    ----------
    user, password : the administrator's, made if it does not exist.
    """

    name = "mongo"

    def __init__(
        self, state_dir: Path, user: str, password: str, *, say: Callable[[str], None] = lambda _: None
    ) -> None:
        super().__init__(state_dir, say=say)
        self._user, self._password = user, password

    @property
    def url(self) -> str:
        """`mongodb://USER:PASSWORD@127.0.0.1:PORT/?replicaSet=...`."""
        account = f"{quote(self._user, safe='')}:{quote(self._password, safe='')}"
        options = f"replicaSet={REPLICA_SET}&authSource=admin&directConnection=true"
        return f"mongodb://{account}@{LOOPBACK}:{self.port}/?{options}"

    @property
    def _key_file(self) -> Path:
        return self.folder / "keyfile"

    def prepare(self) -> str:
        """Find the program, make the data folder and the key file."""
        program = str(find_mongod().path)
        private_folder(self.folder / "data")
        if not self._key_file.exists():
            key = secrets.token_urlsafe(512).translate(str.maketrans("-_", "+/"))
            write_private(self._key_file, key)
        return program

    def command(self, program: str) -> list[str]:
        """Arguments for a small, quiet, uncompressed server on loopback only."""
        parameters = {
            "enableLocalhostAuthBypass": "false",
            "diagnosticDataCollectionEnabled": "false",
            # A set of one has nobody to hand over to: the default waits 15 s for that at each stop.
            "shutdownTimeoutMillisForSignaledShutdown": "100",
        }
        return [
            *(program, "--dbpath", str(self.folder / "data"), "--keyFile", str(self._key_file)),
            *("--bind_ip", LOOPBACK, "--port", str(self.port), "--nounixsocket", "--replSet", REPLICA_SET),
            *("--networkMessageCompressors", "disabled"),
            *("--wiredTigerCacheSizeGB", "0.5", "--oplogSize", "512", "--quiet"),
            *(word for name, value in parameters.items() for word in ("--setParameter", f"{name}={value}")),
        ]

    def is_ready(self) -> bool:
        """Take the next step: a set of one at this address, a primary, an administrator who can log in."""
        client = self._connect("__system", self._key_file.read_text("ascii"), "local")
        try:
            with client:
                if not self._is_primary_here(client):
                    return False
                self._ensure_administrator(client)
                return True
        except OperationFailure as error:
            if error.code == NOT_YET_INITIALIZED:  # still reading its configuration
                return False
            raise
        except PyMongoError:  # not up yet, or it closed the connections as it changed its state
            return False

    def _connect(self, user: str, password: str, source: str) -> MongoClient[dict[str, Any]]:
        return MongoClient(
            LOOPBACK,
            self.port,
            username=user,
            password=password,
            authSource=source,
            authMechanism="SCRAM-SHA-256",
            directConnection=True,
            serverSelectionTimeoutMS=1000,
            connectTimeoutMS=1000,
            socketTimeoutMS=20000,
        )

    def _is_primary_here(self, client: MongoClient[dict[str, Any]]) -> bool:
        """Whether it is the primary at this port; else start it on the way."""
        here = f"{LOOPBACK}:{self.port}"
        configuration = client.local["system.replset"].find_one()
        if configuration is None:
            members = [{"_id": 0, "host": here}]
            client.admin.command({"replSetInitiate": {"_id": REPLICA_SET, "members": members}})
            return False
        if configuration["members"][0]["host"] != here:
            configuration["members"][0]["host"] = here
            configuration["version"] += 1
            client.admin.command({"replSetReconfig": configuration, "force": True})
            return False
        return bool(client.admin.command("hello").get("isWritablePrimary"))

    def _ensure_administrator(self, client: MongoClient[dict[str, Any]]) -> None:
        if self._can_log_in():
            return
        exists = client.admin.command("usersInfo", self._user)["users"]
        client.admin.command(
            "updateUser" if exists else "createUser",
            self._user,
            pwd=self._password,
            roles=["root"],
            writeConcern={"w": "majority", "j": True},
        )

    def _can_log_in(self) -> bool:
        try:
            with self._connect(self._user, self._password, "admin") as client:
                client.admin.command("ping")
        except OperationFailure as error:
            if error.code == AUTHENTICATION_FAILED:
                return False
            raise
        return True
