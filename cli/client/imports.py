"""Calls about imports of a predecessor's record."""

from dataclasses import dataclass

from cli.client.transport import Json, Transport


@dataclass(frozen=True)
class Imports:
    """Imports by name; a page that is handed in again changes nothing."""

    _transport: Transport

    def begin(self, name: str) -> Json:
        """Begin an import, or go on with one that was broken off; tells where."""
        return self._transport.ask("POST", f"/v1/imports/{name}")

    def get(self, name: str) -> Json:
        """How far an import is, and what could not be taken."""
        return self._transport.ask("GET", f"/v1/imports/{name}")

    def take(self, name: str, page: bytes) -> Json:
        """Hand in a page of documents, as JSON."""
        headers = {"Content-Type": "application/json"}
        return self._transport.ask("POST", f"/v1/imports/{name}/documents", content=page, headers=headers)
