"""Who asks: where a token comes from, and an account for when there is none."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cli.local.private_files import write_private


class Login(Protocol):
    """Where a token comes from."""

    def token(self) -> str | None:
        """A token that may work, if one is known."""

    def account(self) -> tuple[str, str] | None:
        """Name and password, if they are known, for when there is no token or it does not work."""

    def keep(self, token: str) -> None:
        """A new token, to be used the next time."""


@dataclass(frozen=True)
class GivenLogin:
    """A token, or a name and a password, from the environment."""

    given: str | None
    name: str | None
    password: str | None

    def token(self) -> str | None:
        """The token that was given."""
        return self.given

    def account(self) -> tuple[str, str] | None:
        """The account that was given."""
        return (self.name, self.password) if self.name and self.password else None

    def keep(self, token: str) -> None:
        """Nothing is kept of somebody else's service."""


@dataclass(frozen=True)
class LocalLogin:
    """The administrator of the service on this machine; its token is kept in a file of mode 0600."""

    name: str
    password: str
    file: Path

    def token(self) -> str | None:
        """The token that was kept."""
        try:
            return self.file.read_text("ascii").strip() or None
        except (OSError, ValueError):
            return None

    def account(self) -> tuple[str, str] | None:
        """The administrator."""
        return self.name, self.password

    def keep(self, token: str) -> None:
        """Keep a token for the next command."""
        write_private(self.file, f"{token}\n")
