"""Who has been invited: one file for each host, read by the gateway and by the embedded Redis."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cli.local.private_files import private_folder, write_private

RIGHTS = "~* &* +@all -@admin -@dangerous +info"
"""What an invited host may do in Redis: everything with messages, nothing with the server."""


@dataclass(frozen=True)
class Guest:
    """An invited host. `name` is its account everywhere; of its Redis password only the sha256 is kept."""

    name: str
    note: str
    expires: datetime
    redis_sha256: str

    @property
    def expired(self) -> bool:
        """Whether the invitation is over."""
        return self.expires <= datetime.now(UTC)

    @property
    def redis_rule(self) -> str:
        """Its account as Redis's configuration and `ACL SETUSER` have it."""
        return f"{self.name} on resetpass #{self.redis_sha256} resetkeys resetchannels {RIGHTS}"


class GuestBook:
    """The folder `invitations` of a state folder. An entry that is gone is a host that is let in no more."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir.absolute() / "invitations"

    def add(self, guest: Guest) -> None:
        """Write down a host."""
        private_folder(self._folder)
        contents = asdict(guest) | {"expires": guest.expires.isoformat()}
        write_private(self._file(guest.name), json.dumps(contents, indent=2) + "\n")

    def remove(self, name: str) -> None:
        """Strike a host out; harmless when it is not there."""
        self._file(name).unlink(missing_ok=True)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.isidentifier() and self._file(name).exists()

    def __iter__(self) -> Iterator[Guest]:
        for file in sorted(self._folder.glob("*.json")):
            contents: dict[str, Any] = json.loads(file.read_text("utf-8"))
            yield Guest(**{**contents, "expires": datetime.fromisoformat(contents["expires"])})

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.json"


def password_sha256(password: str) -> str:
    """What is kept of a Redis password, which is random enough for a plain SHA-256."""
    return hashlib.sha256(password.encode()).hexdigest()
