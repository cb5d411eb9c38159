"""The old labelling site's client works unchanged against this service."""

import io
import re
import zipfile
from collections.abc import Callable, Iterator

import pytest

from core.label_event import Said
from storage.label_datasets import item_id
from storage.record import Record
from tests.api.labelling.conftest import PASSWORD
from tests.api.labelling.old_client import OldClient
from tests.api.server import ADMIN, ApiServer
from tests.images import jpeg

FILES = {
    f"strkid67409383041500{n:02}_pid674093830415_scimref.jpg": jpeg(50 + n, width=40, height=40)
    for n in range(3)
}
FIRST, SECOND, THIRD = FILES


@pytest.fixture
def anna(api: ApiServer, token_of: Callable[[str], str]) -> Iterator[OldClient]:
    token_of("anna")
    with OldClient(api.url, "anna", PASSWORD) as client:
        yield client


@pytest.fixture
def ben(api: ApiServer, token_of: Callable[[str], str]) -> Iterator[OldClient]:
    token_of("ben")
    with OldClient(api.url, "ben", PASSWORD) as client:
        yield client


@pytest.fixture
def filled(anna: OldClient) -> tuple[str, str]:
    """A project of anna's, and a data set of three files in it."""
    project = anna.add_project("Streaks", "of one night", ["streak", "no_streak"])
    dataset, answer = anna.add_dataset(project, "Reals", "short ones", FILES)
    assert (answer.status_code, answer.content) == (204, b"")
    return project, dataset


def test_a_wrong_password_opens_nothing(api: ApiServer) -> None:
    with pytest.raises(PermissionError, match="wrong user name or password"):
        OldClient(api.url, "nobody", "a wrong password")


def test_a_project_with_a_data_set_is_made_and_described(anna: OldClient, filled: tuple[str, str]) -> None:
    project, dataset = filled
    assert re.fullmatch("[0-9a-f]{24}", project)
    found = anna.project(project)
    assert isinstance(found.pop("last_modified"), str)
    assert found == {
        "_id": project,
        "name": "Streaks",
        "description": "of one night",
        "classes": ["no_streak", "streak"],
        "datasets": {
            dataset: {"name": "Reals", "description": "short ones", "num_files": 3, "num_classified": 0}
        },
        "role": "admin",
    }
    assert [listed["_id"] for listed in anna.projects()] == [project]


def test_files_are_labelled_and_labels_come_back(anna: OldClient, filled: tuple[str, str]) -> None:
    assert anna.labels(*filled) == {}
    said = anna.classify(*filled, {FIRST: ["streak"], SECOND: ["no_streak", "streak"], THIRD: []})
    assert said.json() == {"status": "success"}
    assert anna.labels(*filled) == {FIRST: ["streak"], SECOND: ["no_streak", "streak"]}
    path = f"/{filled[0]}/datasets/{filled[1]}/classify"
    assert anna.ask("GET", path).json() == anna.labels(*filled)
    anna.classify(*filled, {FIRST: ["no_streak"], SECOND: []})
    assert anna.labels(*filled) == {FIRST: ["no_streak"], SECOND: ["no_streak", "streak"]}
    assert anna.project(filled[0])["datasets"][filled[1]]["num_classified"] == 2
    assert anna.ask("DELETE", path).json() == {"status": "success"}
    assert anna.labels(*filled) == {}


def test_everybodys_labels_stand_side_by_side(
    anna: OldClient, ben: OldClient, filled: tuple[str, str]
) -> None:
    project, dataset = filled
    assert ben.ask("GET", f"/{project}").status_code == 404
    anna.ask("POST", f"/{project}", json={"add_user": "ben", "add_user_role": "user"})
    assert ben.project(project)["role"] == "user"
    anna.classify(*filled, {FIRST: ["streak"], SECOND: ["streak"]})
    ben.classify(*filled, {FIRST: ["no_streak"], SECOND: ["streak"]})
    assert anna.labels(*filled) == {FIRST: ["streak"], SECOND: ["streak"]}
    assert ben.labels(*filled) == {FIRST: ["no_streak"], SECOND: ["streak"]}
    assert ben.labels(*filled, "classifications_all_users") == {
        FIRST: ["no_streak", "streak"],
        SECOND: ["streak", "streak"],
    }
    assert ben.ask("GET", f"/{project}/datasets/{dataset}/inspect").json() == {
        FIRST: {"no_streak": 1, "streak": 1},
        SECOND: {"streak": 2},
        THIRD: {},
    }
    ben.ask("DELETE", f"/{project}/datasets/{dataset}/classify")
    assert anna.labels(*filled) == {FIRST: ["streak"], SECOND: ["streak"]}, "a reset is of one's own labels"


def test_downloads_are_called_as_on_the_old_site(anna: OldClient, filled: tuple[str, str]) -> None:
    project, dataset = filled
    where = f"/{project}/datasets/{dataset}"
    names = {
        f"/{project}": ({"download": "json"}, rf"{project}\.json"),
        where: ({"download": "dataset", "format": "zip"}, rf"{dataset}\.\d{{8}}_\d{{6}}\.zip"),
    }
    for path, (params, name) in names.items():
        header = anna.ask("GET", path, params=params).headers["Content-Disposition"]
        assert re.fullmatch(f'attachment; filename="{name}"', header)
    for what, tag in (("classifications", "anna"), ("classifications_all_users", r"\d{8}_\d{6}")):
        header = anna.ask("GET", where, params={"download": what, "format": "json"}).headers[
            "Content-Disposition"
        ]
        assert re.fullmatch(rf'attachment; filename="{dataset}\.{tag}\.json"', header)
    data = anna.ask("GET", where, params={"download": "dataset", "format": "zip"}).content
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == FILES
    wrong = anna.ask("GET", where, params={"download": "dataset", "format": "json"})
    assert (wrong.status_code, "expected zip" in wrong.text) == (400, True)


def test_labels_by_the_old_calls_are_events_made_without_scores(
    anna: OldClient, filled: tuple[str, str], api_record: Record
) -> None:
    for _ in range(3):
        anna.classify(*filled, {FIRST: ["streak"]})
    anna.ask("DELETE", f"/{filled[0]}/datasets/{filled[1]}/classify")
    noted = list(api_record.label_events.events(filled[1]))
    assert [(n.person, n.item) for n in noted] == [("anna", item_id(FIRST))] * 2, (
        "what says nothing new is no event"
    )
    said = [n.event for n in noted if isinstance(n.event, Said)]
    assert [(event.classes, event.seen.scores) for event in said] == [(("streak",), False), ((), False)]


def test_wrong_labels_are_refused_whole(anna: OldClient, filled: tuple[str, str]) -> None:
    for labels, told in (
        ({FIRST: ["streak"], "other.jpg": ["streak"]}, "'other.jpg' is not in this data set"),
        ({FIRST: ["streak"], SECOND: ["asteroid"]}, "expected one of no_streak, streak"),
        ({"\ud800.jpg": ["streak"]}, "is not in this data set"),
        ({FIRST: ["\ud800"]}, "expected one of no_streak, streak"),
        ({FIRST: "streak"}, "expected JSON such as"),
        ([FIRST], "expected JSON such as"),
    ):
        answer = anna.classify(*filled, labels)  # type: ignore[arg-type]
        assert answer.status_code == 400
        assert told in answer.json()["detail"]
    assert anna.labels(*filled) == {}


def test_a_project_is_changed_and_removed(api: ApiServer, anna: OldClient, filled: tuple[str, str]) -> None:
    project, dataset = filled
    anna.ask("POST", f"/{project}", json={"classes": "ghost streak"})
    assert anna.project(project)["classes"] == ["ghost", "no_streak", "streak"]
    anna.ask("POST", f"/{project}", json={"remove_class": "ghost"})
    assert anna.project(project)["classes"] == ["no_streak", "streak"]
    last = anna.ask("POST", f"/{project}", json={"remove_user": "anna"})
    assert (last.status_code, "last admin" in last.text) == (409, True)
    unknown = anna.ask("POST", f"/{project}", json={"add_user": "nobody", "add_user_role": "user"})
    assert (unknown.status_code, "no account" in unknown.text) == (404, True)
    with OldClient(api.url, *ADMIN) as root:
        assert root.project(project)["role"] == "admin", "the one superuser"
    assert anna.ask("DELETE", f"/{project}/datasets/{dataset}").json() == {"status": "success"}
    assert anna.project(project)["datasets"] == {}
    assert anna.ask("DELETE", f"/{project}").json() == {"status": "success"}
    assert anna.projects() == []


def test_nothing_is_served_without_a_session(
    api: ApiServer, anna: OldClient, filled: tuple[str, str]
) -> None:
    project, dataset = filled
    anna.session.cookies.clear()
    for path in (
        "",
        f"/{project}",
        f"/{project}/datasets/{dataset}",
        f"/{project}/datasets/{dataset}/inspect",
    ):
        assert anna.ask("GET", path, params={"download": "json"}).status_code == 401
    assert anna.ask("DELETE", f"/{project}").status_code == 401
