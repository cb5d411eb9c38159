"""The invitation: one file with all that a host needs to join, and no more rights than it needs."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from cli.local.private_files import write_private
from core.errors import Misconfigured, NotInvited

WHAT = "deep-asteroids invitation 1"
AUTHORITY, CERTIFICATE = "{authority}", "{certificate}"
"""In the URLs: where the joining host has put the two files."""
SHARED_SCORING = ("lease_s", "heartbeat_s", "fetch_attempts")
SHARED_SECTIONS = ("limits", "references", "instruments", "families")
"""The settings by which every worker has to work alike; batches and threads are each host's own."""
_SETTINGS = {f"DA_SCORING__{name.upper()}" for name in SHARED_SCORING}
_SETTINGS |= {f"DA_{name.upper()}" for name in SHARED_SECTIONS}
_NAME = re.compile(r"guest_[0-9a-f]{10}")


@dataclass(frozen=True)
class Invitation:
    """What a host is told.

    Attributes
    ----------
    name : its account in MongoDB, Redis and the API.
    service : the mark of the service's blob store, by which one service is told from another.
    gateway : `NAME:PORT` of the service; empty where only servers that are not the service's own are used.
    mongo_url, redis_url : with the account, and `{authority}` and `{certificate}` in the place of two files.
    blob_url, blob_token : the API's, or another store's URL and no token.
    authority : the certificates to hold the service to, as PEM.
    certificate : the host's own, with its key, as PEM.
    settings : those of the service that a worker shares, as `DA_*` variables.
    """

    name: str
    service: str
    gateway: str
    expires: str
    mongo_url: str = field(repr=False)
    mongo_database: str
    redis_url: str = field(repr=False)
    blob_url: str
    blob_token: str = field(repr=False)
    authority: str = field(repr=False)
    certificate: str = field(repr=False)
    settings: dict[str, str]

    def write(self, path: Path) -> None:
        """Write the file, with mode 0600."""
        contents = asdict(self)
        contents = {"what": WHAT, **contents, "sha256": _digest(contents)}
        write_private(path, json.dumps(contents, indent=2) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """The invitation in a file; raises Misconfigured for one that is cut, changed or made up,
        NotInvited for one that is over.
        """
        contents = _contents(path)
        stated = contents.pop("sha256", None)
        contents.pop("what")
        if stated != _digest(contents):
            raise Misconfigured(
                f"{path} was changed or damaged since it was written (its sha256 is not the one it states); "
                "copy it again, or have another one written with ./streaks invite"
            )
        try:
            found = cls(**contents)
        except TypeError as error:
            raise Misconfigured(f"{path} is an invitation of another release: {error}") from error
        found._refuse_made_up(path)
        found._refuse_expired(path)
        return found

    def _refuse_made_up(self, path: Path) -> None:
        """The name becomes a folder here, and the settings become this process's environment."""
        if _NAME.fullmatch(str(self.name)) is None:
            raise Misconfigured(f"{path} is for {self.name!r}; expected guest_ and ten hex digits")
        strange = sorted(set(self.settings) - _SETTINGS)
        if strange or not all(isinstance(value, str) for value in self.settings.values()):
            raise Misconfigured(
                f"{path} sets {', '.join(strange) or 'what is no text'}; expected no other settings than "
                f"{', '.join(sorted(_SETTINGS))}"
            )

    def _refuse_expired(self, path: Path) -> None:
        if datetime.fromisoformat(self.expires) <= datetime.now(UTC):
            raise NotInvited(
                f"{path} expired at {self.expires[:19]} UTC (here it is {datetime.now(UTC):%Y-%m-%dT%H:%M}); "
                "have another one written with ./streaks invite"
            )


def _contents(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise Misconfigured(f"{path} can't be read: {reason}; expected an invitation") from error
    try:
        contents = json.loads(text)
    except ValueError as error:
        raise Misconfigured(
            f"{path} ends early or is no invitation ({len(text)} characters, {error}); copy it again"
        ) from error
    if not isinstance(contents, dict) or contents.get("what") != WHAT:
        raise Misconfigured(f"{path} is no invitation; expected a file that ./streaks invite wrote")
    return contents


def _digest(contents: dict[str, Any]) -> str:
    """A guard against damage. A forger gains nothing by it: the service decides by the certificate."""
    return hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()
