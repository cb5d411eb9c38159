"""A labelling project."""

from collections.abc import Mapping
from typing import Any

from deep_asteroids_client.connection import Connection
from deep_asteroids_client.dataset import LabelDataset
from deep_asteroids_client.errors import NotFound


class Project:
    """Classes, members and data sets to label."""

    def __init__(self, connection: Connection, told: Mapping[str, Any]) -> None:
        self._connection = connection
        self.id: str = told["id"]
        self.name: str = told["name"]
        self.classes: tuple[str, ...] = tuple(told["classes"])

    def __repr__(self) -> str:
        return f"<project {self.name!r}: {', '.join(self.classes)}>"

    def datasets(self) -> list[LabelDataset]:
        """Its data sets."""
        found = self._connection.ask("GET", f"/v1/projects/{self.id}")["datasets"]
        return [LabelDataset(self._connection, self.id, told) for told in found]

    def dataset(self, name: str) -> LabelDataset:
        """The data set of a name or an id; raises NotFound."""
        datasets = self.datasets()
        for dataset in datasets:
            if name in (dataset.id, dataset.name):
                return dataset
        names = ", ".join(dataset.name for dataset in datasets) or "none"
        raise NotFound(f"{self.name!r} has no data set {name!r}; there are: {names}")

    def create_dataset(self, name: str, *, description: str = "") -> LabelDataset:
        """A new data set without pictures."""
        wanted = {"name": name, "description": description}
        told = self._connection.ask("POST", f"/v1/projects/{self.id}/datasets", json=wanted, repeat=False)
        return LabelDataset(self._connection, self.id, told)

    def remove(self) -> None:
        """Remove it; its labels stay on record."""
        self._connection.answer("DELETE", f"/v1/projects/{self.id}", repeat=False)
