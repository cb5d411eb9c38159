"""Projects of the old site come with their ids and labels; ours are exported so that they come again."""

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from storage.record import Record
from tests.api.labelling.conftest import PASSWORD
from tests.api.labelling.old_client import OldClient
from tests.api.labelling.test_projects import Person
from tests.api.server import ApiServer
from tests.images import jpeg

PID, NIGHT, OTHER = "5bdbe9f13610a1000f76abca", "5bdbea1b3610a10014de7fc3", "5bdbea1b3610a10014de7fc4"
A, B, C = (f"strkid67409383041503{n:02}_pid674093830415_scimref.jpg" for n in range(3))
PICTURES = {name: jpeg(90 + n, width=40, height=40) for n, name in enumerate((A, B, C))}
PROJECT = {
    "_id": PID,
    "name": "ztf",
    "description": "real and bogus",
    "classes": ["streak", "no_streak"],
    "datasets": {NIGHT: {"name": "night", "description": "", "num_files": 2, "num_classified": 2}, OTHER: {}},
    "last_modified": "Thu, 01 Nov 2018 00:00:00 GMT",
    "role": "admin",
}
Documents = Mapping[str, Any]


def export() -> dict[str, bytes]:
    documents: Documents = {
        f"{PID}.json": PROJECT,
        f"{NIGHT}.20181101_120000.json": {A: ["no_streak", "streak"], B: ["streak"]},
        f"{OTHER}.dima.json": {C: ["streak"]},
    }
    pictures = io.BytesIO()
    with zipfile.ZipFile(pictures, "w") as archive:
        for name in (A, B):
            archive.writestr(name, PICTURES[name])
    files = {name: json.dumps(value).encode() for name, value in documents.items()}
    return files | {f"{NIGHT}.20181101_120001.zip": pictures.getvalue(), f"{OTHER}/{C}": PICTURES[C]}


@pytest.fixture
def bring(api: ApiServer, token_of: Callable[[str], str]) -> Callable[..., Any]:
    def brought(files: Mapping[str, bytes], status: int = 201, *, who: str = "anna") -> Any:
        parts = [("files", (name, data)) for name, data in files.items()]
        answer = api.ask("POST", "/v1/projects/import", token=token_of(who), files=parts)
        assert answer.status_code == status, answer.text
        return answer.json()

    return brought


Bring = Callable[..., Any]


@pytest.fixture
def anna(api: ApiServer, token_of: Callable[[str], str]) -> Person:
    return Person(api, token_of("anna"))


def labels(person: Person, project: str, dataset: str) -> dict[tuple[str, str], list[str]]:
    where = f"/{project}/datasets/{dataset}"
    names = {item["item"]: item["name"] for item in person.ask("GET", f"{where}/items")["items"]}
    found = person.ask("GET", f"{where}/labels")["labels"]
    return {(names[label["item"]], label["person"]): label["classes"] for label in found}


def test_a_project_of_the_old_site_comes_with_its_ids_and_labels(anna: Person, bring: Bring) -> None:
    came = bring(export())
    assert came == {"project": PID, "new": 3, "known": 0, "labels": 4, "refused": 0, "faults": []}
    project = anna.ask("GET", f"/{PID}")
    assert (project["name"], project["classes"], project["role"]) == ("ztf", ["no_streak", "streak"], "admin")
    assert {d["id"]: (d["name"], d["items"], d["labelled"]) for d in project["datasets"]} == {
        NIGHT: ("night", 2, 2),
        OTHER: (OTHER, 1, 1),
    }
    assert labels(anna, PID, NIGHT) == {
        (A, "zwickyverse:#0"): ["no_streak"],
        (A, "zwickyverse:#1"): ["streak"],
        (B, "zwickyverse:#0"): ["streak"],
    }
    assert labels(anna, PID, OTHER) == {(C, "zwickyverse:dima"): ["streak"]}


def test_the_same_export_again_changes_nothing(anna: Person, bring: Bring, api_record: Record) -> None:
    bring(export())
    again = bring(export())
    assert (again["new"], again["known"], again["labels"]) == (0, 3, 0)
    assert len(list(api_record.label_events.events(NIGHT))) == 3


def test_labels_wait_for_their_pictures(anna: Person, bring: Bring) -> None:
    files = export()
    without = bring({name: data for name, data in files.items() if name.endswith(".json")})
    assert (without["labels"], without["refused"]) == (0, 3)
    assert without["faults"][0]["fault"] == "a label whose picture is not there"
    assert bring(files)["labels"] == 4


def test_the_old_client_finds_an_imported_project(
    api: ApiServer, bring: Bring, token_of: Callable[[str], str]
) -> None:
    bring(export())
    with OldClient(api.url, "anna", PASSWORD) as client:
        assert client.project(PID)["datasets"][NIGHT]["num_files"] == 2
        everybody = client.labels(PID, NIGHT, "classifications_all_users")
        assert everybody == {A: ["no_streak", "streak"], B: ["streak"]}


def test_what_is_exported_comes_again_elsewhere(
    api: ApiServer, anna: Person, bring: Bring, api_record: Record, token_of: Callable[[str], str]
) -> None:
    bring(export())
    with OldClient(api.url, "anna", PASSWORD) as client:
        client.classify(PID, NIGHT, {A: ["streak"], B: ["no_streak", "streak"]})
    anna.ask("PATCH", f"/{PID}", overlap=2, classifier="rb")
    before = [labels(anna, PID, dataset) for dataset in (NIGHT, OTHER)]
    answer = api.ask("GET", f"/v1/projects/{PID}/export", token=token_of("anna"))
    assert PID in answer.headers["Content-Disposition"]
    for collection in ("projects", "label_datasets", "label_items", "label_events", "label_states"):
        api_record.database[collection].delete_many({})
    came = bring({"export.zip": answer.content}, who="ben")
    assert (came["new"], came["labels"], came["refused"]) == (3, 6, 0)
    anna.ask("PUT", f"/{PID}/members/anna", 404, role="admin")
    foreign = {"anna": "zwickyverse:anna"}
    there = Person(api, token_of("ben"))
    project = there.ask("GET", f"/{PID}")
    assert (project["overlap"], project["classifier"]) == (2, "rb")
    assert [labels(there, PID, dataset) for dataset in (NIGHT, OTHER)] == [
        {(name, foreign.get(person, person)): classes for (name, person), classes in own.items()}
        for own in before
    ]


def test_nobody_imports_into_anothers_project(anna: Person, bring: Bring) -> None:
    bring(export())
    assert "may not change" in bring(export(), 403, who="ben")["detail"]
    assert bring(export(), 403, who="vera")["status"] == 403
    files = export()
    mine = {**PROJECT, "_id": "5bdbe9f13610a1000f76abcb"}
    files[f"{PID}.json"] = json.dumps(mine).encode()
    assert "already, which is not this one" in bring(files, 409, who="ben")["detail"]
    anna.ask("GET", "/5bdbe9f13610a1000f76abcb", 404)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"_id": "../x"}, "expected up to 64"),
        ({"classes": ["<script>", "streak"]}, "expected 1 to 64 letters"),
        ({"classes": "streak"}, "classes are no list"),
        ({"overlap": -1}, "expected 0 to 1000 people"),
        ({"classes": ["other"]}, "labels of class 'no_streak'"),
        ({"datasets": {NIGHT: {}}}, "labels of data sets that no project names"),
        ({"name": "\u202ex"}, "without control and direction characters"),
    ],
)
def test_a_wrong_export_is_refused_and_leaves_no_trace(
    anna: Person, bring: Bring, change: dict[str, Any], told: str
) -> None:
    files = export() | {f"{PID}.json": json.dumps({**PROJECT, **change}).encode()}
    assert told in bring(files, 400)["detail"]
    assert anna.ask("GET")["projects"] == []


def test_what_is_of_no_use_is_named(bring: Bring) -> None:
    files = export() | {"stray.jpg": PICTURES[A], "readme.txt": b"hello", f"{OTHER}/page.jpg": b"<html>"}
    faults = {fault["name"]: fault["fault"] for fault in bring(files)["faults"]}
    assert "in no folder or zip that is called as a data set" in faults["stray.jpg"]
    assert "not a picture" in faults["readme.txt"]
    assert "not_an_image" in faults["page.jpg"]
