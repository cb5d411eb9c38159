"""Calls about subscriptions."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from cli.client.transport import Json, Transport

_PATH = "/v1/subscriptions"


@dataclass(frozen=True)
class Subscriptions:
    """Who is told of what."""

    _transport: Transport

    def all(self) -> list[Json]:
        """One's own; everybody's for an admin."""
        found: list[Json] = self._transport.ask("GET", _PATH)["subscriptions"]
        return found

    def add(self, wanted: dict[str, Any]) -> Json:
        """Be told of something; the answer has the secret, this once."""
        return self._transport.ask("POST", _PATH, json=wanted)

    def get(self, subscription: str) -> Json:
        """One, with its latest messages."""
        return self._transport.ask("GET", self._path(subscription))

    def remove(self, subscription: str) -> None:
        """End it."""
        self._transport.answer("DELETE", self._path(subscription))

    def trial(self, subscription: str) -> Json:
        """Send a message without matches."""
        return self._transport.ask("POST", f"{self._path(subscription)}/trial")

    def retry(self, subscription: str) -> Json:
        """Send again what was given up."""
        return self._transport.ask("POST", f"{self._path(subscription)}/retry")

    def _path(self, subscription: str) -> str:
        return f"{_PATH}/{quote(subscription, safe='')}"
