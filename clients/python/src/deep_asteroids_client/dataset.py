"""A data set of a labelling project."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from deep_asteroids_client.connection import ACCEPT_S, Connection, Json
from deep_asteroids_client.errors import InvalidRequest
from deep_asteroids_client.table import Table, table_of
from deep_asteroids_client.upload import PathLike, Upload, collect

_EVENTS_AT_ONCE = 500
_PAGE = 5000


class LabelDataset:
    """Pictures that people label, by the name of each."""

    def __init__(self, connection: Connection, project: str, told: Mapping[str, Any]) -> None:
        self._connection = connection
        self.id: str = told["id"]
        self.name: str = told["name"]
        self._path = f"/v1/projects/{project}/datasets/{self.id}"

    def __repr__(self) -> str:
        return f"<data set {self.name!r}>"

    def upload(self, *paths: PathLike) -> Json:
        """Put images in; `new`, `known`, `refused`, and in `faults` what could not be taken in and why."""
        upload = Upload(collect(paths))
        return self._connection.ask("POST", f"{self._path}/files", upload=upload, answer_s=ACCEPT_S)

    def add(
        self,
        *,
        cutouts: Sequence[str] | None = None,
        job: str | None = None,
        filter: str | None = None,  # noqa: A002
    ) -> Json:
        """Put cutouts on record in: by their ids, those of a job, or those that a filter is true of."""
        given = {"cutouts": cutouts, "job": job, "filter": filter}
        wanted = {name: value for name, value in given.items() if value is not None}
        return self._connection.ask("POST", f"{self._path}/items", json=wanted, answer_s=ACCEPT_S)

    def items(self) -> Iterator[Json]:
        """The pictures by name: `item`, `name`, `cutout`."""
        return self._connection.pages(f"{self._path}/items", "items", cursor="after", limit=_PAGE)

    def label(self, labels: Mapping[str, str | Sequence[str]]) -> int:
        """Say of which class pictures are, by their names; no class takes it back. Returns how many.

        Raises InvalidRequest, before anything is said, for a name that is not in the data set.
        """
        items = {item["name"]: item["item"] for item in self.items()}
        strange = [name for name in labels if name not in items]
        if strange:
            raise InvalidRequest(
                f"{len(strange)} names such as {strange[0][:100]!r} are not in {self.name!r}"
            )
        now = datetime.now().astimezone().isoformat()
        events = [
            {"id": f"client-{uuid.uuid4().hex}", "at": now, "item": items[name], "classes": _classes(said)}
            for name, said in labels.items()
        ]
        for start in range(0, len(events), _EVENTS_AT_ONCE):
            part = {"events": events[start : start + _EVENTS_AT_ONCE]}
            self._connection.ask("POST", f"{self._path}/events", json=part)
        return len(events)

    def labels(self, person: str | None = None) -> Table:
        """What everybody, or one person, says now: name, person, classes, when."""
        names = {item["item"]: item["name"] for item in self.items()}
        found = self._connection.ask("GET", f"{self._path}/labels", params={"person": person})["labels"]
        rows = (
            {
                "name": names.get(label["item"], label["item"]),
                "person": label["person"],
                "classes": " ".join(label["classes"]),
                "at": label["at"],
            }
            for label in found
        )
        return table_of(rows, ("name", "person", "classes", "at"))


def _classes(said: str | Sequence[str]) -> list[str]:
    return [said] if isinstance(said, str) else list(said)
