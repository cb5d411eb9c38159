"""Calls about model versions."""

from dataclasses import dataclass

from cli.client.transport import Json, Transport


@dataclass(frozen=True)
class Models:
    """The registry."""

    _transport: Transport

    def all(self) -> list[Json]:
        """Every model version that is registered."""
        found: list[Json] = self._transport.ask("GET", "/v1/models")["models"]
        return found

    def get(self, version: str) -> Json:
        """The card of one version."""
        return self._transport.ask("GET", f"/v1/models/{version}")

    def weights(self, version: str) -> bytes:
        """The weights of one version, as its card describes them."""
        return self._transport.answer("GET", f"/v1/models/{version}/weights").content

    def add(self, archive: bytes) -> Json:
        """Register a candidate from a zip of its card and weights."""
        headers = {"Content-Type": "application/zip"}
        return self._transport.ask("POST", "/v1/models", headers=headers, content=archive)

    def set_threshold(self, version: str, threshold: float) -> Json:
        """Move a version's threshold."""
        return self._transport.ask("PUT", f"/v1/models/{version}/threshold", json={"threshold": threshold})

    def promote(self, version: str, *, even_if_worse: bool, beside: bool = False) -> Json:
        """Put a version into production."""
        wanted = {"even_if_worse": even_if_worse, "beside": beside}
        return self._transport.ask("POST", f"/v1/models/{version}/promote", json=wanted)

    def archive(self, version: str) -> Json:
        """Let a version be used no longer."""
        return self._transport.ask("POST", f"/v1/models/{version}/archive")
