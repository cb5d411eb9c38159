"""Calls about accounts."""

from urllib.parse import quote

from cli.client.transport import Json, Transport


class Users:
    """The accounts of people."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

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
