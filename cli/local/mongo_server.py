"""The embedded MongoDB: a replica set of one, with accounts, on loopback."""

import secrets
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from cli.local.binaries import find_mongod
from cli.local.embedded import EmbeddedServer
from cli.local.mongo_accounts import administrator
from cli.local.ports import LOOPBACK
from cli.local.private_files import private_folder, write_private
from cli.local.replica_set import ReplicaSetOfOne

REPLICA_SET = "streaks"
CACHE = ",".join(
    f"eviction_{what}={percent}"
    for what, percent in {
        "dirty_target": 40,
        "dirty_trigger": 60,
        "updates_target": 50,
        "updates_trigger": 70,
    }.items()
)
"""Shares of the cache that may wait for the next checkpoint, and that changes may take. By WiredTiger's own
(5 and 20 %, and half of that) pages are written again and again in between; what is lost with the cache is in
the journal. The containers' mongod has the same."""


class EmbeddedMongo(EmbeddedServer):
    """A mongod that keeps what it acknowledged with `w: majority`, which nobody enters without a password.

    Each start takes the steps of `ReplicaSetOfOne`, so it may be killed anywhere and the next one completes
    it, and a changed user or password is taken over. The localhost exception, through which anybody on the
    machine could make the first account, is off.

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
            *("--wiredTigerCacheSizeGB", "1", "--wiredTigerEngineConfigString", CACHE),
            *("--oplogSize", "512", "--quiet"),
            *(word for name, value in parameters.items() for word in ("--setParameter", f"{name}={value}")),
        ]

    def is_ready(self) -> bool:
        """Take the next step: a set of one at this address, a primary, an administrator who can log in."""
        key = self._key_file.read_text("ascii")
        accounts = [administrator(self._user, self._password)]
        return ReplicaSetOfOne(REPLICA_SET, LOOPBACK, self.port, key=key, accounts=accounts).advance()
