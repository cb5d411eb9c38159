"""The API is killed while people label and upload: what is sent until it is answered is there once."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from core.label_event import Said
from storage.label_datasets import item_id
from storage.record import Record
from tests.api.server import ApiServer
from tests.images import jpeg
from tests.record import fresh_record, settings_for

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ITEMS, BATCH, UPLOADS = 40, 20, 3
PRESSES = 10 * ITEMS  # of each of two people
CLASSES = ("no_streak", "streak")


def stubbornly(api: ApiServer, token: str, path: str, **body: Any) -> None:
    """Send until it is answered, as a page does."""
    deadline = time.monotonic() + 60
    while True:
        try:
            if api.ask("POST", path, token=token, **body).status_code == 200:
                return
        except requests.RequestException:
            pass
        assert time.monotonic() < deadline, path
        time.sleep(0.2)


def pressed(number: int, person: int) -> dict[str, Any]:
    """The press of this number: of one item after the other, its class another one each time around."""
    return {
        "id": f"press-{number:05}",
        "item": item_id(f"{number % ITEMS}.jpg"),
        "class": CLASSES[(number // ITEMS + person) % 2],
        "at": (NOW + timedelta(seconds=number)).isoformat(),
    }


def test_labels_and_uploads_survive_the_death_of_the_api(
    mongo_url: str, redis_url: str, mongo_database: str, tmp_path: Path
) -> None:
    record = fresh_record(settings_for(mongo_url, redis_url, mongo_database, tmp_path / "state"))
    with ApiServer(tmp_path, mongo_url=mongo_url, redis_url=redis_url, database=mongo_database) as api:
        project = api.ask("POST", "/v1/projects", json={"name": "p", "classes": CLASSES}).json()["id"]
        dataset = api.ask("POST", f"/v1/projects/{project}/datasets", json={"name": "d"}).json()["id"]
        where = f"/v1/projects/{project}/datasets/{dataset}"
        pictures = {f"{n}.jpg": jpeg(400 + n, width=40, height=40) for n in range(ITEMS)}
        parts = [("files", part) for part in pictures.items()]
        stubbornly(api, api.token, f"{where}/files", files=parts)
        tokens = [api.token]
        for name in ("anna", "ben"):
            record.accounts.add(name, "a-password-of-a-labeller", "labeller")
            tokens.append(api.log_in(name, "a-password-of-a-labeller"))
            api.ask("PUT", f"/v1/projects/{project}/members/{name}", json={"role": "user"})

        def label(person: int) -> None:
            for start in range(0, PRESSES, BATCH):
                events = [pressed(n, person) for n in range(start, start + BATCH)]
                stubbornly(api, tokens[person], f"{where}/events", json={"events": events})

        def upload() -> None:
            for n in range(UPLOADS):
                more = [("files", (f"more-{n}-{name}", data)) for name, data in pictures.items()]
                stubbornly(api, tokens[0], f"{where}/files", files=more)

        with ThreadPoolExecutor(3) as pool:
            work = [pool.submit(label, 1), pool.submit(label, 2), pool.submit(upload)]
            while (there := record.database["label_events"].estimated_document_count()) < PRESSES // 2:
                time.sleep(0.01)
            api.process.kill()
            api.process.wait()
            assert there < 2 * PRESSES, "the work was done before the API was killed"
            api.process = api.launch()
            for each in work:
                each.result()
    check(record, project, dataset)
    record.close()


def check(record: Record, project: str, dataset: str) -> None:
    noted = [n for n in record.label_events.events(dataset) if isinstance(n.event, Said)]
    assert sorted((n.person, n.event.id) for n in noted) == [
        (person, f"press-{number:05}") for person in ("anna", "ben") for number in range(PRESSES)
    ]
    last = range(PRESSES - ITEMS, PRESSES)
    assert {
        (label.item, label.person): label.classes[0] for label in record.label_events.labels(dataset)
    } == {
        (pressed(number, person)["item"], name): pressed(number, person)["class"]
        for number in last
        for person, name in ((1, "anna"), (2, "ben"))
    }
    items = list(record.label_datasets.items(record.label_datasets.get(project, dataset)))
    assert len(items) == ITEMS * (1 + UPLOADS)
    assert all(item.sha256 in record.blobs for item in items if item.sha256)
