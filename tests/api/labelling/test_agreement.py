"""Queues, agreement, settling and what comes of it, over HTTP."""

import csv
import io
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from core.outcome import Outcome
from storage.record import Record
from tests.api.server import ApiServer
from tests.api.versions import RB
from tests.images import jpeg
from tests.label_project import LabelProject

TokenOf = Callable[[str], str]
NAMES = [f"{n:02}.jpg" for n in range(12)]


@pytest.fixture
def project(api: ApiServer, api_record: Record, token_of: TokenOf) -> LabelProject:
    """Twelve cutouts whose scores rise with their names; anna and ben may label."""
    made = LabelProject(api, api_record)
    for name in ("anna", "ben"):
        token_of(name)
        made.add_member(name)
    made.add_cutouts({name: jpeg(500 + n) for n, name in enumerate(NAMES)})
    scores = [Outcome(made.cutouts[name], RB, n / 11) for n, name in enumerate(NAMES)]
    api_record.outcomes.insert(scores, provenance={})
    return made


def labels(project: LabelProject, said: str) -> dict[str, str]:
    """`s` for a streak, `n` for none, `.` for no label, of the items by their names."""
    classes = {"s": "streak", "n": "no_streak"}
    return {project.items[name]: classes[sign] for name, sign in zip(NAMES, said, strict=True) if sign != "."}


def queue(project: LabelProject, token: str, **asked: Any) -> list[str]:
    """The names in a queue without their suffix."""
    found = project.ask("GET", f"{project.base}/queue", token=token, params={"version": RB} | asked)
    assert found["total"] == len(found["items"])
    return [item["name"].removesuffix(".jpg") for item in found["items"]]


def test_a_queue_is_of_one_persons_own(project: LabelProject, token_of: TokenOf) -> None:
    anna, ben = token_of("anna"), token_of("ben")
    project.say(anna, labels(project, "s..nn......."))
    assert queue(project, anna) == ["11", "10", "09", "08", "07", "06", "05", "02", "01"]
    assert queue(project, anna, order="low")[:2] == ["01", "02"]
    assert queue(project, anna, kind="uncertain")[:3] == ["06", "05", "07"]
    assert queue(project, anna, kind="contradicted") == ["00"]
    assert sorted(queue(project, anna, kind="labelled")) == ["00", "03", "04"]
    assert len(queue(project, ben)) == 12
    assert sorted(queue(project, ben, kind="random")) == sorted(n.removesuffix(".jpg") for n in NAMES)


def test_where_one_person_is_enough_items_are_shared_out(
    project: LabelProject, api: ApiServer, token_of: TokenOf
) -> None:
    anna, ben, path = token_of("anna"), token_of("ben"), f"{project.base}/holds"
    items = [project.items[name] for name in NAMES]

    def hold(token: str, wanted: list[str]) -> list[str]:
        return list(project.ask("POST", path, token=token, json={"items": wanted})["items"])

    assert hold(anna, items[:5]) == hold(ben, items[:5]) == items[:5]  # everybody is to label everything
    project.ask("PATCH", f"/v1/projects/{project.id}", json={"overlap": 1})
    assert hold(anna, items[:5]) == items[:5]
    assert hold(ben, items[:8]) == items[5:8]
    project.say(ben, labels(project, "........s..."))
    assert hold(anna, items[5:]) == items[9:]
    too_many = api.ask("POST", path, token=anna, json={"items": ["x"] * 201})
    assert too_many.status_code == 422
    assert api.ask("POST", path, token=token_of("vera"), json={"items": items}).status_code == 404


def test_an_item_is_in_nobodys_queue_once_as_many_people_as_are_wanted_have_labelled_it(
    project: LabelProject, token_of: TokenOf
) -> None:
    project.ask("PATCH", f"/v1/projects/{project.id}", json={"overlap": 1})
    project.say(token_of("anna"), labels(project, "ssssssnnnn.."))
    assert queue(project, token_of("ben")) == ["11", "10"]
    progress = project.ask("GET", f"/v1/projects/{project.id}/agreement")["datasets"][0]
    assert progress["done"] == 10
    project.ask("PATCH", f"/v1/projects/{project.id}", json={"overlap": 2})
    assert len(queue(project, token_of("ben"))) == 12
    project.ask("PATCH", f"/v1/projects/{project.id}", json={"overlap": 0})
    assert len(queue(project, token_of("ben"))) == 12


def test_a_queue_tells_no_score_and_nobody_elses_label(project: LabelProject, token_of: TokenOf) -> None:
    project.say(token_of("ben"), labels(project, "ssssssssssss"))
    found = project.ask("GET", f"{project.base}/queue", token=token_of("anna"), params={"version": RB})
    assert found["items"][0].keys() == {"item", "name", "picture", "label"}
    assert {item["label"] for item in found["items"]} == {None}
    asked = project.ask("GET", f"{project.base}/scores", token=token_of("anna"), params={"version": RB})
    assert asked["scores"][project.items["11.jpg"]] == 1.0


def test_what_a_network_has_not_scored_is_counted_and_comes_last(project: LabelProject) -> None:
    project.add_cutouts({"new.jpg": jpeg(600), "new too.jpg": jpeg(601)})
    found = project.ask("GET", f"{project.base}/queue", params={"version": RB})
    assert (found["total"], found["unscored"]) == (14, 2)
    assert {item["name"] for item in found["items"][-2:]} == {"new.jpg", "new too.jpg"}
    assert project.ask("GET", f"{project.base}/queue", params={"kind": "random"})["unscored"] == 0


@pytest.mark.parametrize(
    ("asked", "status"),
    [({"kind": "best"}, 422), ({"version": "rb@999"}, 404), ({"version": "{}"}, 422), ({"order": "up"}, 422)],
)
def test_what_is_no_queue_is_refused(
    project: LabelProject, api: ApiServer, asked: Mapping[str, str], status: int
) -> None:
    assert api.ask("GET", f"{project.base}/queue", params=dict(asked)).status_code == status


def test_kappa_progress_and_what_is_open_are_told(project: LabelProject, token_of: TokenOf) -> None:
    project.say(token_of("anna"), labels(project, "ssssssnnnnn."))
    project.say(token_of("ben"), labels(project, "sssssnsnnnnn"))
    found = project.ask("GET", f"/v1/projects/{project.id}/agreement")
    (pair,) = found["pairs"]
    assert (pair["people"], pair["both"], pair["agreed"]) == (["anna", "ben"], 11, 9)
    assert pair["kappa"] == pytest.approx((9 * 11 - 61) / (121 - 61))
    assert found["datasets"][0]["people"] == {"anna": 11, "ben": 12}
    assert (found["labelled"], found["open"], found["settled"]) == (12, 2, 0)


def test_what_an_admin_settles_stands_until_it_is_taken_back(
    project: LabelProject, api: ApiServer, token_of: TokenOf
) -> None:
    project.say(token_of("anna"), labels(project, "ssssssnnnnn."))
    project.say(token_of("ben"), labels(project, "sssssnsnnnnn"))
    decided = {name: ["streak" if n < 5 else "no_streak"] for n, name in enumerate(NAMES)}
    del decided["05.jpg"], decided["06.jpg"]
    assert project.ask("GET", f"{project.base}/consensus") == decided
    wanted = {"id": "settlement-1", "item": project.items["05.jpg"], "classes": ["streak"]}
    path = f"{project.base}/settlements"
    assert api.ask("POST", path, json=wanted, token=token_of("anna")).status_code == 403
    for _ in range(2):
        project.ask("POST", path, json=wanted)
    assert project.ask("GET", f"{project.base}/consensus") == decided | {"05.jpg": ["streak"]}
    assert api.ask("POST", path, json=wanted | {"classes": ["no_streak"]}).status_code == 409
    assert api.ask("POST", path, json=wanted | {"id": "settlement-2", "classes": ["<b>"]}).status_code == 400
    assert api.ask("POST", path, json=wanted | {"id": "settlement-3", "item": "x"}).status_code == 404
    text = api.ask("GET", f"{project.base}/consensus", params={"format": "csv", "min_votes": 2}).text
    lines = {line["file"]: line for line in csv.DictReader(io.StringIO(text))}
    assert (lines["05.jpg"]["class"], lines["05.jpg"]["by"]) == ("streak", "admin")
    assert (lines["06.jpg"]["class"], lines["06.jpg"]["said"]) == ("", "anna: no_streak; ben: streak")
    assert (lines["11.jpg"]["class"], lines["11.jpg"]["people"]) == ("", "1")
    project.ask("POST", path, json=wanted | {"id": "settlement-4", "classes": []})
    assert project.ask("GET", f"{project.base}/consensus") == decided


def test_a_data_set_is_frozen_of_what_people_agree_on(
    project: LabelProject, api: ApiServer, token_of: TokenOf
) -> None:
    project.say(token_of("anna"), labels(project, "ssssssnnnnn."))
    project.say(token_of("ben"), labels(project, "sssssnsnnnnn"))
    item = project.items["05.jpg"]
    project.ask(
        "POST", f"{project.base}/settlements", json={"id": "settled-05", "item": item, "classes": ["streak"]}
    )
    wanted = {"name": "rb-of-a-project", "classifier": "rb", "shares": [0.6, 0.2, 0.2], "min_votes": 2}
    path = f"/v1/projects/{project.id}/freeze"
    assert api.ask("POST", path, json=wanted, token=token_of("anna")).status_code == 403
    card = project.ask("POST", path, json=wanted)["dataset"]
    counts = {
        name: sum(card["counts"][split][name] for split in card["counts"]) for name in ("bogus", "real")
    }
    assert counts == {"bogus": 4, "real": 6}
    assert (card["source"], card["owner"]) == ("project", "admin")
    left = {found["reason"]: found["count"] for found in card["left_out"]}
    assert left == {"disputed": 2}
    again = api.ask("POST", path, json=wanted)
    assert (again.status_code, again.json()["existing"]) == (200, True)
    other = api.ask("POST", path, json=wanted | {"classifier": "sl"})
    assert other.status_code == 400
    assert "expected long for 0" in other.text
