"""Calls about what waits."""

from dataclasses import dataclass

from cli.client.transport import Json, Transport


@dataclass(frozen=True)
class Queues:
    """The queues of scoring."""

    _transport: Transport

    def all(self) -> list[Json]:
        """Both, live first."""
        found: list[Json] = self._transport.ask("GET", "/v1/queues")["queues"]
        return found
