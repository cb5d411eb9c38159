"""Projects, data sets and label events over HTTP, and who may do what."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.outcome import Outcome
from core.project import LabelItem
from storage.label_datasets import item_id
from storage.record import Record
from tests.api.server import ApiServer
from tests.api.versions import RB

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TokenOf = Callable[[str], str]


class Person:
    """Somebody who asks under /v1/projects."""

    def __init__(self, api: ApiServer, token: str) -> None:
        self._api, self._token = api, token

    def ask(self, method: str, path: str = "", status: int = 200, **body: Any) -> Any:
        answer = self._api.ask(method, f"/v1/projects{path}", token=self._token, json=body or None)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def project(self, **fields: Any) -> str:
        new = {"name": "Streaks", "classes": ["streak", "no_streak"]} | fields
        return str(self.ask("POST", "", 201, **new)["id"])

    def dataset(self, project: str, name: str = "A night") -> str:
        return str(self.ask("POST", f"/{project}/datasets", 201, name=name)["id"])


@pytest.fixture
def anna(api: ApiServer, token_of: TokenOf) -> Person:
    return Person(api, token_of("anna"))


@pytest.fixture
def ben(api: ApiServer, token_of: TokenOf) -> Person:
    return Person(api, token_of("ben"))


@pytest.fixture
def vera(api: ApiServer, token_of: TokenOf) -> Person:
    return Person(api, token_of("vera"))


@pytest.fixture
def root(api: ApiServer) -> Person:
    return Person(api, api.token)


def fill(record: Record, project: str, dataset: str, names: Sequence[str]) -> None:
    found = record.label_datasets.get(project, dataset)
    items = [LabelItem(item_id(name), name, f"cutout-{name}", "0" * 64) for name in names]
    record.label_datasets.add_items(found, items)


def event(n: int, **more: Any) -> dict[str, Any]:
    return {"id": f"event-{n:04}", "at": (NOW + timedelta(minutes=n)).isoformat()} | more


def label(n: int, name: str, item: str = "a.jpg", **seen: Any) -> dict[str, Any]:
    return event(n, item=item_id(item), seen=seen, **{"class": name})


def test_a_project_is_made_changed_and_removed(anna: Person) -> None:
    project = anna.project(description="two\nlines", classifier="rb")
    shown = anna.ask("GET", f"/{project}")
    assert {
        key: shown[key] for key in ("name", "description", "classes", "classifier", "role", "members")
    } == {
        "name": "Streaks",
        "description": "two\nlines",
        "classes": ["no_streak", "streak"],
        "classifier": "rb",
        "role": "admin",
        "members": {"anna": "admin"},
    }
    changed = anna.ask(
        "PATCH", f"/{project}", name="<b>Streaks</b>", classes=["streak", "other"], classifier=""
    )
    assert (changed["name"], changed["classes"]) == ("<b>Streaks</b>", ["other", "streak"])
    assert (changed["classifier"], changed["description"]) == (None, "two\nlines")
    assert [found["id"] for found in anna.ask("GET")["projects"]] == [project]
    anna.ask("DELETE", f"/{project}", 204)
    anna.ask("GET", f"/{project}", 404)
    assert anna.ask("GET")["projects"] == []


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"classes": ["streak", "<script>alert(1)</script>"]}, "expected 1 to 64 letters"),
        ({"classes": ["streak", "Streak"]}, "are one name"),
        ({"classes": []}, "expected 1 to 50"),
        ({"name": "\u202egnp.exe"}, "without control and direction characters"),
        ({"name": "x" * 300}, "of 300 characters; expected 1 to 200"),
        ({"classifier": "RB; drop"}, "expected a word such as rb"),
    ],
)
def test_a_wrong_project_is_refused_and_leaves_no_trace(
    anna: Person, fields: dict[str, Any], told: str
) -> None:
    new = {"name": "Streaks", "classes": ["streak", "no_streak"]} | fields
    assert told in anna.ask("POST", "", 400, **new)["detail"]
    assert anna.ask("GET")["projects"] == []


def test_to_a_stranger_a_project_is_not_there(anna: Person, ben: Person, root: Person) -> None:
    project = anna.project()
    dataset = anna.dataset(project)
    for method, path in (
        ("GET", f"/{project}"),
        ("DELETE", f"/{project}"),
        ("GET", f"/{project}/datasets/{dataset}"),
        ("GET", f"/{project}/datasets/{dataset}/items"),
        ("GET", f"/{project}/datasets/{dataset}/labels"),
        ("DELETE", f"/{project}/datasets/{dataset}"),
    ):
        assert "there is no project" in ben.ask(method, path, 404)["detail"]
    ben.ask("POST", f"/{project}/datasets/{dataset}/events", 404, events=[label(1, "streak")])
    assert ben.ask("GET")["projects"] == []
    assert root.ask("GET", f"/{project}")["role"] == "admin", "the service's administrator is one everywhere"


def test_another_projects_data_set_is_not_found(anna: Person) -> None:
    project, other = anna.project(), anna.project(name="Other")
    dataset = anna.dataset(other)
    for path in (f"/{project}/datasets/{dataset}", f"/{project}/datasets/{dataset}/items"):
        assert "in this project" in anna.ask("GET", path, 404)["detail"]
    anna.ask("DELETE", f"/{project}/datasets/{dataset}", 404)
    assert anna.ask("GET", f"/{other}/datasets/{dataset}")["name"] == "A night"


def test_a_user_labels_and_an_admin_edits(anna: Person, ben: Person, api_record: Record) -> None:
    project = anna.project()
    dataset = anna.dataset(project)
    fill(api_record, project, dataset, ["a.jpg"])
    assert anna.ask("PUT", f"/{project}/members/ben", role="user")["members"] == {
        "anna": "admin",
        "ben": "user",
    }
    assert ben.ask("GET", f"/{project}")["role"] == "user"
    ben.ask("POST", f"/{project}/datasets/{dataset}/events", events=[label(1, "streak")])
    for method, path, body in (
        ("PATCH", "", {"name": "mine"}),
        ("DELETE", "", {}),
        ("PUT", "/members/ben", {"role": "admin"}),
        ("DELETE", "/members/anna", {}),
        ("POST", "/datasets", {"name": "mine"}),
        ("PATCH", f"/datasets/{dataset}", {"name": "mine"}),
        ("DELETE", f"/datasets/{dataset}", {}),
    ):
        assert "expected an admin of it" in ben.ask(method, f"/{project}{path}", 403, **body)["detail"]
    anna.ask("PUT", f"/{project}/members/ben", role="admin")
    ben.ask("PATCH", f"/{project}", name="ours")
    ben.ask("DELETE", f"/{project}/members/anna", 204)
    anna.ask("GET", f"/{project}", 404)
    assert "last admin" in ben.ask("DELETE", f"/{project}/members/ben", 409)["detail"]
    assert "no account" in ben.ask("PUT", f"/{project}/members/nobody", 404, role="user")["detail"]


def test_a_viewer_looks_and_changes_nothing(anna: Person, vera: Person) -> None:
    vera.ask("POST", "", 403, name="Mine", classes=["a", "b"])
    project = anna.project()
    dataset = anna.dataset(project)
    anna.ask("PUT", f"/{project}/members/vera", role="admin")
    assert vera.ask("GET", f"/{project}/datasets/{dataset}/items")["items"] == []
    vera.ask("POST", f"/{project}/datasets/{dataset}/events", 403, events=[label(1, "streak")])
    vera.ask("PATCH", f"/{project}", 403, name="mine")


def test_items_come_by_name_with_picture_and_score(anna: Person, api_record: Record) -> None:
    project = anna.project()
    dataset = anna.dataset(project)
    fill(api_record, project, dataset, [f"{n}.jpg" for n in range(5)])
    api_record.outcomes.insert([Outcome("cutout-3.jpg", RB, score=0.75)], provenance={})
    where = f"/{project}/datasets/{dataset}/items"
    first = anna.ask("GET", f"{where}?limit=3&version={RB}")
    rest = anna.ask("GET", f"{where}?limit=3&version={RB}&after={first['next']}")
    assert [item["name"] for item in first["items"] + rest["items"]] == [f"{n}.jpg" for n in range(5)]
    assert rest["next"] is None
    assert rest["items"][0] == {
        "item": item_id("3.jpg"),
        "name": "3.jpg",
        "cutout": "cutout-3.jpg",
        "picture": f"/cutouts/cutout-3.jpg/picture?v={'0' * 64}",
        "score": 0.75,
    }
    assert first["items"][0]["score"] is None
    assert anna.ask("GET", where)["items"][3]["score"] is None, "no score unless it is asked for"


def test_labels_come_in_batches_and_are_undone_by_events(
    anna: Person, ben: Person, api_record: Record
) -> None:
    project = anna.project()
    dataset = anna.dataset(project)
    fill(api_record, project, dataset, ["a.jpg", "b.jpg"])
    anna.ask("PUT", f"/{project}/members/ben", role="user")
    where = f"/{project}/datasets/{dataset}"
    events = [
        label(1, "streak", mode="grid", queue="unlabelled", scores=True, by="press"),
        label(2, "no_streak", "b.jpg"),
        event(3, undoes="event-0002"),
        event(4, item=item_id("b.jpg"), classes=["streak", "no_streak"]),
    ]
    assert anna.ask("POST", f"{where}/events", events=events) == {"new": 4, "known": 0}
    assert anna.ask("POST", f"{where}/events", events=events) == {"new": 0, "known": 4}
    ben.ask("POST", f"{where}/events", events=[label(1, "no_streak")])
    found = anna.ask("GET", f"{where}/labels")["labels"]
    said = {(found["item"], found["person"]): (found["classes"], found["scores_shown"]) for found in found}
    assert said == {
        (item_id("a.jpg"), "anna"): (["streak"], True),
        (item_id("a.jpg"), "ben"): (["no_streak"], False),
        (item_id("b.jpg"), "anna"): (["no_streak", "streak"], False),
    }
    assert len(anna.ask("GET", f"{where}/labels?person=ben")["labels"]) == 1
    shown = anna.ask("GET", where)
    assert (shown["items"], shown["labelled"]) == (2, 2)


def test_a_batch_with_a_wrong_event_is_refused_whole(anna: Person, api_record: Record) -> None:
    project = anna.project()
    dataset = anna.dataset(project)
    fill(api_record, project, dataset, ["a.jpg"])
    where = f"/{project}/datasets/{dataset}"
    for wrong, status, told in (
        (label(2, "asteroid"), 400, "expected one of no_streak, streak"),
        (label(2, "streak", "other.jpg"), 400, "is not in this data set"),
        (event(2, undoes="event-0009"), 400, "expected the id of a label of yours"),
        (label(1, "no_streak"), 409, "another content"),
        (event(2), 422, "expected an item with its class"),
        (event(2, item=item_id("a.jpg")), 422, "expected class"),
        ({**label(2, "streak"), "at": "2026-01-01T00:00:00"}, 422, "timezone"),
        ({**label(2, "streak"), "person": "ben"}, 422, "Extra inputs"),
    ):
        refused = anna.ask("POST", f"{where}/events", status, events=[label(1, "streak"), wrong])
        assert told in refused["detail"]
    assert anna.ask("GET", f"{where}/labels")["labels"] == []


def test_a_class_that_labels_give_is_not_removed(anna: Person, api_record: Record) -> None:
    project = anna.project()
    dataset = anna.dataset(project)
    fill(api_record, project, dataset, ["a.jpg"])
    anna.ask("POST", f"/{project}/datasets/{dataset}/events", events=[label(1, "streak")])
    refused = anna.ask("PATCH", f"/{project}", 409, classes=["no_streak", "other"])
    assert "1 labels say 'streak'" in refused["detail"]
    anna.ask("PATCH", f"/{project}", classes=["streak", "other"])
