"""Calls about nights."""

from collections.abc import Sequence
from dataclasses import dataclass

from cli.client.transport import ACCEPT_S, Json, Transport
from cli.multipart import File

PAGE = 5000


@dataclass(frozen=True)
class Nights:
    """Nights and their ledgers; what is ingested again changes nothing."""

    _transport: Transport

    def latest(self, limit: int) -> list[Json]:
        """The latest nights."""
        return self._transport.listed("/v1/nights", "nights", limit)

    def get(self, night: str) -> Json:
        """The ledger of a night, and in `missing_ids` every id of which something did not come."""
        shown = page = self._page(night, None)
        while page["next"] is not None:
            page = self._page(night, page["next"])
            shown["missing"] += page["missing"]
        return {**shown["ledger"], "missing_ids": shown["missing"]}

    def ingest_files(self, night: str, files: Sequence[File]) -> Json:
        """Ingest files of a night."""
        return self._transport.upload(f"/v1/nights/{night}", files, {})

    def ingest_prefix(self, night: str, prefix: str) -> Json:
        """Ingest what lies in a bucket, or in a folder of the service's host."""
        wanted = {"prefix": prefix}
        return self._transport.ask("POST", f"/v1/nights/{night}", json=wanted, answer_s=ACCEPT_S)

    def _page(self, night: str, cursor: str | None) -> Json:
        return self._transport.ask("GET", f"/v1/nights/{night}", params={"limit": PAGE, "cursor": cursor})
