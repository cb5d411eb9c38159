"""Calls about cutouts and their scores, whatever job they come from."""

from collections.abc import Iterator
from dataclasses import dataclass

from cli.client.transport import Json, Transport


@dataclass(frozen=True)
class Cutouts:
    """Cutouts that a filter is true of."""

    _transport: Transport

    def page(self, text: str, *, models: str = "", limit: int = 100, cursor: str | None = None) -> Json:
        """A page of them."""
        params = {"filter": text, "models": models, "limit": limit, "cursor": cursor}
        return self._transport.ask("GET", "/v1/cutouts", params=params)

    def export(self, text: str, *, models: str, form: str) -> Iterator[bytes]:
        """Their scores as a file, by and by; raises Unavailable where it breaks off."""
        params = {"filter": text, "models": models, "format": form}
        return self._transport.stream("/v1/cutouts/export", params)
