"""The predecessors' Python client, as far as a server can tell: its calls, with a cookie and nothing else."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import requests


class OldClient:
    """One who has logged in to Zwickyverse, by what is known of its calls."""

    def __init__(self, url: str, username: str, password: str) -> None:
        self._url = url
        self.session = requests.Session()
        answer = self.session.post(
            f"{url}/login",
            json={"username": username, "password": password, "zwickyverse.__version__": "0.1.0"},
            timeout=30,
        )
        said = answer.json()
        if said.get("message") != "success":
            raise PermissionError(str(said))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.session.close()

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """One call."""
        return self.session.request(method, f"{self._url}/projects{path}", timeout=60, **more)

    def projects(self) -> list[dict[str, Any]]:
        """All of the caller's."""
        found: list[dict[str, Any]] = self.ask("GET", "", params={"download": "json"}).json()
        return found

    def project(self, project: str) -> dict[str, Any]:
        """One."""
        found: dict[str, Any] = self.ask("GET", f"/{project}", params={"download": "json"}).json()
        return found

    def add_project(self, name: str, description: str, classes: Sequence[str]) -> str:
        """Make one; its id."""
        body = {"name": name, "description": description, "classes": " ".join(classes)}
        return str(self.ask("PUT", "", json=body).json()["project_id"])

    def add_dataset(
        self, project: str, name: str, description: str, files: Mapping[str, bytes]
    ) -> tuple[str, requests.Response]:
        """Make one and fill it; its id, and the answer to the upload."""
        made = self.ask("PUT", f"/{project}/datasets", json={"name": name, "description": description}).json()
        parts = {f"file_{file}": (file, data) for file, data in files.items()}
        return made["dataset_id"], self.ask("POST", f"/{project}/datasets/{made['dataset_id']}", files=parts)

    def labels(self, project: str, dataset: str, what: str = "classifications") -> dict[str, list[str]]:
        """The caller's, or everybody's."""
        params = {"download": what, "format": "json"}
        found: dict[str, list[str]] = self.ask("GET", f"/{project}/datasets/{dataset}", params=params).json()
        return found

    def classify(self, project: str, dataset: str, labels: Mapping[str, Sequence[str]]) -> requests.Response:
        """Say what files are."""
        return self.ask("POST", f"/{project}/datasets/{dataset}/classify", json=labels)
