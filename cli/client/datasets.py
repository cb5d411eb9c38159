"""Calls about data sets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cli.client.transport import ACCEPT_S, Json, Transport
from cli.multipart import File


@dataclass(frozen=True)
class Datasets:
    """Frozen data sets; the same contents are one, however often this has to try."""

    _transport: Transport

    def all(self) -> list[Json]:
        """Every data set, the newest first."""
        found: list[Json] = self._transport.ask("GET", "/v1/datasets")["datasets"]
        return found

    def get(self, name: str) -> Json:
        """The card of one data set."""
        return self._transport.ask("GET", f"/v1/datasets/{name}")

    def images(self, name: str, split: str | None) -> Iterator[bytes]:
        """A zip of a data set's images, or of one split's, in folders that are called as the classes."""
        return self._transport.stream(f"/v1/datasets/{name}/images", {"split": split} if split else {})

    def freeze_files(self, files: Sequence[File], wanted: Mapping[str, str]) -> Json:
        """Freeze a data set from labelled files."""
        return self._transport.upload("/v1/datasets", files, wanted)

    def freeze_labels(self, wanted: Mapping[str, Any]) -> Json:
        """Freeze a data set from the labels on record."""
        asked = {**wanted, "from": "labels"}
        return self._transport.ask("POST", "/v1/datasets", json=asked, answer_s=ACCEPT_S)
