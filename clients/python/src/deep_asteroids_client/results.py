"""What the service says of cutouts, as rows of a table."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from deep_asteroids_client.table import Table, table_of

_TOLD_OTHERWISE = ("versions", "scores", "rejection", "uncalibrated", "pending")


def job_table(results: Iterable[Mapping[str, Any]]) -> Table:
    """A row for each item: file, id, a score for each classifier, plausible, why it was rejected."""
    return table_of(map(_flat, results), ("file", "id"))


def cutout_table(cutouts: Iterable[Mapping[str, Any]]) -> Table:
    """A row for each cutout: file, id, night, a score for each version, plausible, why it was rejected."""
    return table_of(map(_flat, cutouts), ("file", "id", "night"))


def _flat(result: Mapping[str, Any]) -> dict[str, Any]:
    return dict(_columns(result))


def _columns(result: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in result.items():
        if name == "plausible":
            yield from result.get("scores", {}).items()
        if name not in _TOLD_OTHERWISE:
            yield name, value
    rejection = result.get("rejection")
    yield "rejection", None if rejection is None else rejection["reason"]
