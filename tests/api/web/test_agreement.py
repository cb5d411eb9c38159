"""Agreement in a browser: kappa, settling, freezing, and a training that is submitted in one click."""

import pytest
from playwright.sync_api import Page, expect

from storage.record import Record
from tests.api.server import ApiServer
from tests.api.web.browser import logged_in
from tests.api.web.chromium import Visit
from tests.api.web.conftest import PASSWORD
from tests.label_project import CLASSES, LabelProject
from tests.simulated_cutouts import Simulated, simulated_cutouts

EVIL = "<script>alert(1)</script>.jpg"


@pytest.fixture(scope="module")
def cutouts() -> list[Simulated]:
    """As many of either kind."""
    found = simulated_cutouts()
    real = [cutout for cutout in found if cutout.is_real]
    return real + [cutout for cutout in found if not cutout.is_real][: len(real)]


@pytest.fixture
def project(api: ApiServer, api_record: Record, cutouts: list[Simulated]) -> LabelProject:
    """Two have labelled 80 cutouts, an operator and another, who disagree about the first three."""
    made = LabelProject(api, api_record)
    items = made.add_cutouts({cutout.name: cutout.data for cutout in cutouts})
    truth = {items[cutout.name]: CLASSES[cutout.is_real] for cutout in cutouts}
    first = list(truth)[:3]
    for name, role, said in (
        ("web-operator", "admin", truth),
        ("web-labeller", "user", truth | dict.fromkeys(first, "no_streak")),
    ):
        made.add_member(name, role)
        made.say(api.log_in(name, PASSWORD), said)
    return made


@pytest.fixture
def page(visit: Visit, project: LabelProject) -> Page:
    return visit.open(f"/projects/{project.id}/agreement")


def test_what_is_disputed_is_settled_by_a_click_and_taken_back(page: Page, project: LabelProject) -> None:
    row = page.locator("tr", has_text="web-labeller, web-operator")
    expect(row.locator("td")).to_have_text(["web-labeller, web-operator", "80", "77", "0.925"])
    open_ones = page.locator(".standing")
    expect(open_ones).to_have_count(3)
    first = open_ones.first
    first.get_by_role("button", name="streak", exact=True).click()
    expect(first).to_contain_text("streak stands, by web-operator")
    assert project.ask("GET", f"/v1/projects/{project.id}/agreement")["settled"] == 1
    first.get_by_role("button", name="Take back").click()
    expect(first.get_by_role("button")).to_have_count(2)
    assert project.ask("GET", f"/v1/projects/{project.id}/agreement")["open"] == 3


def test_one_click_freezes_a_data_set_and_another_submits_a_training(
    page: Page, project: LabelProject, api: ApiServer
) -> None:
    page.locator("input[name=name]").fill("rb-of-the-page")
    page.get_by_role("button", name="Freeze", exact=True).click()
    note = page.locator(".note")
    expect(note).to_contain_text("rb-of-the-page is frozen")
    expect(note).to_contain_text("Left out: 3 disputed.")
    page.locator("input[name=epochs]").fill("1")
    page.locator("input[name=name]").fill("rb-of-the-page")
    page.get_by_role("button", name="Freeze and train").click()
    page.wait_for_url("**/jobs/*")
    job = api.ask("GET", f"/v1/jobs/{page.url.rpartition('/')[2]}").json()
    assert job["training"]["request"]["dataset"] == "rb-of-the-page"
    assert (job["owner"], job["training"]["request"]["epochs"]) == ("web-operator", 1)
    expect(page.locator("main")).to_contain_text("rb-of-the-page")


def test_what_can_not_be_frozen_is_told_on_the_page(page: Page, visit: Visit) -> None:
    page.locator("input[name=classifier]").fill("sl")
    page.get_by_role("button", name="Freeze", exact=True).click()
    expect(page.locator(".fault")).to_contain_text("expected long for 0, short for 1")
    visit.faults.remove("Failed to load resource: the server responded with a status of 400 (Bad Request)")


def test_a_labeller_sees_agreement_but_neither_settles_nor_freezes(
    project: LabelProject, api: ApiServer, api_record: Record
) -> None:
    browser = logged_in(api, "web-labeller", PASSWORD)
    shown = browser.ask("GET", f"/projects/{project.id}/agreement")
    assert shown.status_code == 200
    assert "/settle" not in shown.text
    assert "/freeze" not in shown.text
    item = next(iter(project.items.values()))
    path = f"/projects/{project.id}/datasets/{project.dataset}/settle"
    assert browser.ask("POST", path, data={"item": item, "name": "streak"}).status_code == 403
    wanted = {"name": "x", "classifier": "rb"}
    assert browser.ask("POST", f"/projects/{project.id}/freeze", data=wanted).status_code == 403
    stranger = logged_in(api, "web-viewer", PASSWORD)
    for path in (f"/projects/{project.id}/agreement", project.page):
        assert stranger.ask("GET", path).status_code == 404


def test_names_and_classes_are_shown_as_text(project: LabelProject, api: ApiServer) -> None:
    project.add_cutouts({EVIL: b"evil"})
    admin = logged_in(api)
    for token in (api.token, api.log_in("web-operator", PASSWORD)):
        name = "streak" if token == api.token else "no_streak"
        project.say(token, {project.items[EVIL]: name})
    for path in (f"/projects/{project.id}/agreement", project.page):
        text = admin.ask("GET", path).text
        assert EVIL not in text
    assert "&lt;script&gt;" in admin.ask("GET", f"/projects/{project.id}/agreement").text
