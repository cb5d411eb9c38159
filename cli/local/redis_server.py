"""The embedded Redis (or Valkey): append-only, never evicting, behind a password, on loopback."""

from collections.abc import Callable
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from cli.local.binaries import find_redis
from cli.local.embedded import EmbeddedServer
from cli.local.guests import GuestBook
from cli.local.ports import LOOPBACK
from cli.local.private_files import private_folder, write_private


class EmbeddedRedis(EmbeddedServer):
    """A Redis that survives its own kill with at most a second of writes lost (`appendfsync everysec`).

    Parameters
    ----------
    password : letters, digits, `-` and `_`; told to the server in a file that only the owner may read.
    """

    name = "redis"

    def __init__(
        self, state_dir: Path, password: str, *, say: Callable[[str], None] = lambda _: None
    ) -> None:
        super().__init__(state_dir, say=say)
        self._password = password

    @property
    def url(self) -> str:
        """`redis://:PASSWORD@127.0.0.1:PORT/0`."""
        return f"redis://:{self._password}@{LOOPBACK}:{self.port}/0"

    def prepare(self) -> str:
        """Find the program and make the data folder."""
        private_folder(self.folder / "data")
        return str(find_redis().path)

    def command(self, program: str) -> list[str]:
        """Write the configuration for the chosen port; its path is the only argument."""
        configuration = self.folder / "redis.conf"
        settings = {
            "bind": LOOPBACK,
            "port": self.port,
            "protected-mode": "yes",
            "requirepass": self._password,
            "dir": f'"{self.folder / "data"}"',
            "daemonize": "no",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "save": '""',
            "tcp-keepalive": 60,
        }
        lines = [f"{key} {value}" for key, value in settings.items()]
        lines += [f"user {guest.redis_rule}" for guest in GuestBook(self.folder.parent) if not guest.expired]
        write_private(configuration, "\n".join(lines) + "\n")
        return [program, str(configuration)]

    def is_ready(self) -> bool:
        """Whether it answers, its append-only file read to the end."""
        with redis.Redis(
            host=LOOPBACK,
            port=self.port,
            password=self._password,
            socket_timeout=2,
            socket_connect_timeout=1,
            retry=Retry(NoBackoff(), 0),
        ) as client:
            try:
                return bool(client.ping())
            except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):  # BusyLoadingError too
                return False
