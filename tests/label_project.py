"""Labelling projects as tests make them, by the API's calls."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from core.project import LabelItem
from storage.cutouts import CutoutRecord
from storage.label_datasets import item_id
from storage.record import Record
from tests.api.server import ApiServer

CLASSES = ("no_streak", "streak")


class LabelProject:
    """A project with one data set: a new one of the administrator, or the one with these ids."""

    def __init__(self, api: ApiServer, record: Record, ids: tuple[str, str] | None = None) -> None:
        self._api, self._record = api, record
        self.id, self.dataset = ids or self._made()
        self.base = f"/v1/projects/{self.id}/datasets/{self.dataset}"
        self.page = f"/projects/{self.id}/datasets/{self.dataset}/label"
        self.page_url = api.url + self.page
        self.items: dict[str, str] = {}
        self.cutouts: dict[str, str] = {}

    def _made(self) -> tuple[str, str]:
        wanted = {"name": "rb of a test", "classes": CLASSES, "classifier": "rb"}
        project = str(self.ask("POST", "/v1/projects", json=wanted)["id"])
        made = self.ask("POST", f"/v1/projects/{project}/datasets", json={"name": "night of a test"})
        return project, str(made["id"])

    def add_member(self, user: str, role: str = "user") -> None:
        """Let an account label here."""
        self.ask("PUT", f"/v1/projects/{self.id}/members/{user}", json={"role": role})

    def add_cutouts(self, files: Mapping[str, bytes]) -> dict[str, str]:
        """Put files into the data set; returns their items by their names."""
        items = []
        records = []
        for name, data in files.items():
            sha256 = self._record.blobs.put(data)
            self.cutouts[name] = sha256
            records.append(CutoutRecord(sha256, sha256))
            items.append(LabelItem(item_id(name), name, sha256, sha256))
        self._record.cutouts.announce(records)
        self._record.cutouts.own(records)
        dataset = self._record.label_datasets.get(self.id, self.dataset)
        assert self._record.label_datasets.add_items(dataset, items).new == len(items)
        self.items |= {item.name: item.id for item in items}
        return {item.name: item.id for item in items}

    def say(self, token: str, labels: Mapping[str, str]) -> None:
        """Label items as the owner of a token."""
        at = datetime.now(UTC).isoformat()
        events = [
            {"id": secrets.token_hex(16), "item": item, "class": name, "at": at}
            for item, name in labels.items()
        ]
        self.ask("POST", f"{self.base}/events", token=token, json={"events": events})

    def labels(self, person: str) -> dict[str, str]:
        """What a person says now, by item."""
        found = self.ask("GET", f"{self.base}/labels", params={"person": person})
        return {label["item"]: label["classes"][0] for label in found["labels"]}

    def ask(self, method: str, path: str, *, token: str | None = None, **options: Any) -> Any:
        """What the API answers; the administrator's word by default."""
        answer = self._api.ask(method, path, token=token, **options)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None
