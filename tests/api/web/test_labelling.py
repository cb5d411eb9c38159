"""Labelling in a real browser: the rate, the keys, what survives a lost connection, two people at once."""

import re

import pytest
from playwright.sync_api import Page, expect

from core.outcome import Outcome
from storage.record import Record
from tests.api.server import ApiServer
from tests.api.versions import RB
from tests.api.web.chromium import Visit
from tests.api.web.conftest import PASSWORD, Enter
from tests.api.web.hand import Hand
from tests.images import jpeg
from tests.label_project import CLASSES, LabelProject
from tests.simulated_cutouts import VERSION, Simulated, simulated_cutouts

MOST_BY_MOUSE, MOST_BY_KEYBOARD = 0.15, 0.35


@pytest.fixture(scope="module")
def cutouts() -> list[Simulated]:
    return simulated_cutouts()


@pytest.fixture
def project(api: ApiServer, api_record: Record, labellers: tuple[str, str]) -> LabelProject:
    made = LabelProject(api, api_record)
    for name in labellers:
        made.add_member(name)
    return made


def fill(project: LabelProject, record: Record, cutouts: list[Simulated]) -> dict[str, str]:
    """Put cutouts with their scores into the data set; returns the truth by item."""
    items = project.add_cutouts({cutout.name: cutout.data for cutout in cutouts})
    scores = [Outcome(project.cutouts[cutout.name], VERSION, cutout.score) for cutout in cutouts]
    record.outcomes.insert(scores, provenance={"engine": "test"})
    return {items[cutout.name]: CLASSES[cutout.is_real] for cutout in cutouts}


def all_sent(page: Page) -> None:
    expect(page.locator("[data-outbox]")).to_have_text("all sent", timeout=20_000)


@pytest.mark.parametrize("way", ["mouse", "keyboard"])
def test_500_cutouts_at_8_percent_real_are_labelled_with_few_actions(
    way: str, enter: Enter, project: LabelProject, api_record: Record, cutouts: list[Simulated]
) -> None:
    truth = fill(project, api_record, cutouts)
    page = enter("label-anna").open(f"{project.page}?version={VERSION}")
    hand = Hand(page, truth, CLASSES)
    hand.label_all_by_mouse() if way == "mouse" else hand.label_all_by_keyboard()
    all_sent(page)
    assert project.labels("label-anna") == truth
    assert len(truth) == 500
    most = MOST_BY_MOUSE if way == "mouse" else MOST_BY_KEYBOARD
    print(f"{hand.actions / len(truth):.3f} actions a cutout by {way}")  # noqa: T201
    assert hand.actions <= most * len(truth)


def test_a_page_by_keyboard_alone_is_undone_and_seen_again_after_a_reload(
    enter: Enter, project: LabelProject, api_record: Record, cutouts: list[Simulated]
) -> None:
    truth = fill(project, api_record, cutouts[:60])
    page = enter("label-anna").open(f"{project.page}?version={VERSION}")
    hand = Hand(page, truth, CLASSES)
    first = hand.items()
    assert len(first) == 48
    hand.label_page_by_keyboard(first)
    expect(page.locator("[data-label] [data-labelled]")).to_have_text("48")
    assert len(hand.items()) == 12
    all_sent(page)
    assert project.labels("label-anna") == {item: truth[item] for item in first}
    page.keyboard.press("Backspace")
    assert hand.items() == first
    all_sent(page)
    assert project.labels("label-anna") == {}
    page.keyboard.press("Enter")
    all_sent(page)
    page.reload()
    assert len(hand.items()) == 12
    page.goto(f"{project.page_url}?kind=labelled")
    shown = page.locator("[data-cells] li:visible")
    expect(shown).to_have_count(48)
    seen = shown.evaluate_all(
        "(all) => all.map((e) => [e.dataset.item, e.querySelector('.name').textContent])"
    )
    assert dict(seen) == {item: truth[item] for item in first}


def test_one_by_one_a_key_labels_space_skips_and_any_number_of_steps_is_undone(
    enter: Enter, project: LabelProject, api_record: Record, cutouts: list[Simulated]
) -> None:
    fill(project, api_record, cutouts[:8])
    visit = enter("label-anna")
    page = visit.open(f"{project.page}?mode=single&version={VERSION}")
    name = page.locator("[data-name]")
    order: list[str] = []
    expect(name).not_to_have_text("")
    for key in ("1", "2", "Space", "2"):
        order.append(name.inner_text())
        page.keyboard.press(key)
    all_sent(page)
    assert sorted(project.labels("label-anna").values()) == ["no_streak", "streak", "streak"]
    shown = "[...document.querySelectorAll('[data-next] img:not([hidden])')]"
    page.wait_for_function(f"{shown}.every((image) => image.naturalWidth)")
    for expected in reversed(order):
        page.keyboard.press("Backspace")
        expect(name).to_have_text(expected)
    all_sent(page)
    assert project.labels("label-anna") == {}


def test_labels_survive_a_lost_connection_and_a_closed_page(
    enter: Enter, project: LabelProject, api_record: Record, cutouts: list[Simulated]
) -> None:
    truth = fill(project, api_record, cutouts[:60])
    visit = enter("label-anna")
    page = visit.open(f"{project.page}?version={VERSION}")
    hand = Hand(page, truth, CLASSES)
    first = hand.items()
    page.context.set_offline(True)
    hand.label_page_by_keyboard(first)
    expect(page.locator("[data-outbox]")).to_have_text(re.compile("no connection: 48 kept in this browser"))
    assert project.labels("label-anna") == {}
    page.close()
    page.context.set_offline(False)
    visit.page = page.context.new_page()
    visit.open(project.page)
    all_sent(visit.page)
    assert project.labels("label-anna") == {item: truth[item] for item in first}
    assert len(Hand(visit.page, truth, CLASSES).items()) == 12


def test_what_a_session_that_ended_could_not_send_waits_for_the_same_person(
    enter: Enter, project: LabelProject, api_record: Record, cutouts: list[Simulated]
) -> None:
    truth = fill(project, api_record, cutouts[:10])
    visit = enter("label-anna")
    page = visit.open(f"{project.page}?version={VERSION}")
    hand = Hand(page, truth, CLASSES)
    items = hand.items()
    page.context.clear_cookies()
    hand.label_page_by_keyboard(items)
    expect(page.locator("[data-outbox]")).to_contain_text("your session has ended: 10 kept")
    visit.log_in("label-ben", PASSWORD)
    visit.open(project.page)
    expect(page.locator("[data-cells] li:visible")).to_have_count(10)
    assert project.labels("label-ben") == project.labels("label-anna") == {}
    page.context.clear_cookies()
    visit.log_in("label-anna", PASSWORD)
    visit.open(project.page)
    all_sent(page)
    assert project.labels("label-anna") == truth
    visit.faults[:] = [fault for fault in visit.faults if "401" not in fault]


def test_scores_are_hidden_until_they_are_asked_for_and_the_label_remembers(
    enter: Enter, project: LabelProject, api_record: Record, cutouts: list[Simulated]
) -> None:
    fill(project, api_record, cutouts[:60])
    page = enter("label-anna").open(f"{project.page}?version={VERSION}")
    hand = Hand(page, {}, CLASSES)
    hand.items()
    assert set(page.locator(".cells .score").all_inner_texts()) == {""}
    page.keyboard.press("Enter")
    shown = hand.items()
    page.keyboard.press("s")
    expect(page.locator(".cells li:visible .score").first).to_have_text(re.compile(r"^[01]\.\d{3}$"))
    page.keyboard.press("s")
    page.keyboard.press("Enter")
    all_sent(page)
    found = project.ask("GET", f"{project.base}/labels")["labels"]
    assert {label["item"] for label in found if label["scores_shown"]} == set(shown)


def test_two_people_on_one_data_set_never_overwrite_each_other(
    enter: Enter, project: LabelProject, api_record: Record, cutouts: list[Simulated]
) -> None:
    truth = fill(project, api_record, cutouts[:48])
    pages = [enter(name).open(f"{project.page}?version={VERSION}") for name in ("label-anna", "label-ben")]
    for page in pages:
        Hand(page, truth, CLASSES).items()
    pages[0].keyboard.press("Enter")
    pages[1].keyboard.press("Shift+Digit2")
    pages[1].keyboard.press("Enter")
    for page in pages:
        all_sent(page)
    assert set(project.labels("label-anna").values()) == {"no_streak"}
    assert set(project.labels("label-ben").values()) == {"streak"}
    assert len(project.labels("label-ben")) == len(project.labels("label-anna")) == 48


def test_two_people_at_once_share_the_work_out_where_one_is_enough(
    enter: Enter, project: LabelProject, api_record: Record, cutouts: list[Simulated]
) -> None:
    truth = fill(project, api_record, cutouts[:250])
    project.ask("PATCH", f"/v1/projects/{project.id}", json={"overlap": 1})
    names = ("label-anna", "label-ben")
    hands = [Hand(enter(name).open(f"{project.page}?version={VERSION}"), truth, CLASSES) for name in names]
    first, second = [hand.items() for hand in hands]
    assert len(first) == len(second) == 48
    assert not set(first) & set(second)
    for hand in hands:
        hand.label_all_by_keyboard()
        all_sent(hand.page)
    said = [project.labels(name) for name in names]
    assert not said[0].keys() & said[1].keys()
    assert said[0] | said[1] == truth
    expect(hands[0].page.locator("[data-others]")).to_be_visible()  # ben had his two pages then
    expect(hands[1].page.locator("[data-others]")).to_be_hidden()


def test_pages_of_labelling_have_no_serious_fault_of_accessibility(
    enter: Enter, project: LabelProject, api: ApiServer, api_record: Record, cutouts: list[Simulated]
) -> None:
    items = list(fill(project, api_record, cutouts[:52]))
    project.say(api.log_in("label-ben", PASSWORD), dict.fromkeys(items[:9], "streak"))
    project.say(api.log_in("label-anna", PASSWORD), dict.fromkeys(items[:6], "no_streak"))
    visit = enter("label-anna")
    for path in (
        f"{project.page}?version={VERSION}",
        f"{project.page}?mode=single",
        f"{project.page}?kind=contradicted",
        f"/projects/{project.id}/agreement",
    ):
        for scheme in ("light", "dark"):
            visit.page.emulate_media(color_scheme=scheme)
            visit.open(path)
            expect(visit.page.locator("[data-told]:not(:empty)")).to_have_count(0)
            assert visit.serious_faults() == [], (path, scheme)
    for width in (1280, 820):
        visit.page.set_viewport_size({"width": width, "height": 900})
        visit.open(f"{project.page}?version={VERSION}")
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width


def test_what_the_service_refuses_is_told_and_holds_up_nothing_else(
    enter: Enter, project: LabelProject, api_record: Record, cutouts: list[Simulated]
) -> None:
    fill(project, api_record, cutouts[:4])
    visit = enter("label-anna")
    page = visit.open(f"{project.page}?mode=single")
    expect(page.locator("[data-name]")).not_to_have_text("")
    project.ask("PATCH", f"/v1/projects/{project.id}", json={"classes": ["no_streak", "trail"]})
    page.context.set_offline(True)
    for key in ("1", "2", "1"):
        page.keyboard.press(key)
    page.context.set_offline(False)
    told = page.locator("[data-outbox]")
    expect(told).to_contain_text("the service refuses 1: class 'streak'; expected one of no_streak, trail")
    assert list(project.labels("label-anna").values()) == ["no_streak", "no_streak"]
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Give up").click()
    all_sent(page)
    assert len(project.labels("label-anna")) == 2
    visit.faults[:] = [fault for fault in visit.faults if "400" not in fault]


def test_a_picture_that_can_not_be_shown_says_so(
    enter: Enter, project: LabelProject, api_record: Record, cutouts: list[Simulated]
) -> None:
    project.add_cutouts({"broken.jpg": b"no picture at all", cutouts[0].name: cutouts[0].data})
    visit = enter("label-anna")
    page = visit.open(f"{project.page}?mode=single&version=")
    shown = page.locator(".one")
    for key, name in (("Space", "broken.jpg"), ("Space", cutouts[0].name)):
        expect(page.locator("[data-name]")).to_have_text(name)
        expect(shown).to_have_class("one broken" if name == "broken.jpg" else "one")
        page.keyboard.press(key)
    visit.faults[:] = [fault for fault in visit.faults if "404" not in fault]


def test_what_a_network_has_not_scored_is_told_and_an_operator_submits_it(
    visit: Visit, project: LabelProject, api: ApiServer
) -> None:
    project.add_cutouts({"new.jpg": jpeg(650)})
    project.add_member("web-operator")
    page = visit.open(f"{project.page}?version={RB}")
    expect(page.locator("[data-unscored]")).to_contain_text(f"Pictures without a score by {RB}: 1")
    page.get_by_role("button", name="Score them").click()
    page.wait_for_url("**/jobs/*")
    job = api.ask("GET", f"/v1/jobs/{page.url.rpartition('/')[2]}").json()
    assert (job["items"], RB in job["versions"]) == (1, True)
