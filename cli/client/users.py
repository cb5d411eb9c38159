"""Calls about accounts."""

from dataclasses import dataclass
from urllib.parse import quote

from cli.client.transport import Json, Transport


@dataclass(frozen=True)
class Users:
    """The accounts of people."""

    _transport: Transport

    def all(self) -> list[Json]:
        """Every account."""
        found: list[Json] = self._transport.ask("GET", "/v1/users")["users"]
        return found

    def add(self, name: str, password: str, role: str) -> Json:
        """Make an account."""
        wanted = {"name": name, "password": password, "role": role}
        return self._transport.ask("POST", "/v1/users", json=wanted)

    def change(self, name: str, **changes: str) -> Json:
        """Give an account another `role` or `password`."""
        return self._transport.ask("PATCH", f"/v1/users/{quote(name, safe='')}", json=changes)

    def remove(self, name: str) -> None:
        """Remove an account."""
        self._transport.answer("DELETE", f"/v1/users/{quote(name, safe='')}")
