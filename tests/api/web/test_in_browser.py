"""The pages in a real browser: by keyboard, without a fault of scripts or of accessibility."""

import re
from collections.abc import Iterator, Mapping
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from core.job import Rejection
from core.outcome import Outcome
from core.user import Role
from storage.record import Record
from tests.api.scoring import score_shard
from tests.api.server import ApiServer
from tests.api.versions import RB, SL
from tests.api.web.browser import Browser
from tests.api.web.chromium import Visit
from tests.api.web.conftest import PASSWORD
from tests.api.web.sample_night import NIGHT
from tests.images import jpeg
from tests.record import card

RESULTS = f"/results?night={NIGHT}&size=60"


def counted(page: Page) -> int:
    """The number of cutouts that the page tells, once it does."""
    expect(page.locator("[data-count]")).to_have_text(re.compile(r"^[\d,]+$"))
    return int(page.locator("[data-count]").inner_text().replace(",", ""))


def focused(page: Page) -> str | None:
    """The cutout that has the focus."""
    found = page.evaluate("document.activeElement.parentElement.dataset.cutout ?? null")
    return None if found is None else str(found)


def test_the_address_of_the_service_leads_through_the_login_to_pictures(
    visit: Visit, api: ApiServer, sample_night: list[str]
) -> None:
    visit.page.context.clear_cookies()
    visit.log_in("web-viewer", PASSWORD)
    assert visit.page.url == f"{api.url}/results"
    picture = visit.page.locator("img.cutout").first
    expect(picture).to_be_visible()
    assert picture.evaluate("(image) => image.naturalWidth") >= 100
    assert visit.serious_faults() == []


def test_a_slider_counts_while_it_moves_and_shows_when_it_rests(visit: Visit) -> None:
    page = visit.open(RESULTS)
    everything = counted(page)
    page.locator("input[name=rb]").focus()
    for _ in range(5):
        page.keyboard.press("PageUp")  # a tenth each
    expect(page.locator("[data-count]")).not_to_have_text(str(everything))
    expect(page).to_have_url(re.compile(r"rb=0\.5"))
    fewer = counted(page)
    assert 0 < fewer < everything
    with page.expect_download() as download:
        page.locator("[data-export=all]").click()
    lines = download.value.path().read_text("utf-8").splitlines()
    assert len([line for line in lines if not line.startswith("#")]) == 1 + fewer
    page.reload()
    assert counted(page) == fewer
    assert page.locator("input[name=rb]").input_value() == "0.5"


def test_the_grid_is_walked_selected_and_shown_otherwise_by_keys_alone(visit: Visit) -> None:
    page = visit.open(RESULTS)
    ids = page.locator("[data-cutout]").evaluate_all("(all) => all.map((each) => each.dataset.cutout)")
    assert len(ids) == 60
    page.keyboard.press("ArrowRight")
    assert focused(page) == ids[0]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    below = focused(page)
    page.keyboard.press("Shift+Space")
    expect(page.locator("[data-selected]")).to_have_text(str(ids.index(below)))
    page.keyboard.press("i")
    page.keyboard.press("c")
    shown = page.locator("img.cutout").first.evaluate("(image) => getComputedStyle(image).filter")
    assert "asinh" in shown
    assert "invert" in shown
    page.keyboard.press("l")
    expect(page.locator(".lens")).to_be_visible()
    page.keyboard.press("n")
    expect(page.locator("[data-cutout]").first).not_to_have_attribute("data-cutout", ids[0])
    page.wait_for_load_state()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url("**/cutouts/**")
    assert "invert" in page.locator("img.cutout").evaluate("(image) => getComputedStyle(image).filter")


def test_what_is_selected_is_exported_also_more_than_a_filter_could_name(visit: Visit) -> None:
    page = visit.open(RESULTS.replace("size=60", "size=240"))
    page.keyboard.press("ArrowRight")
    first = focused(page)
    page.keyboard.press("Space")
    page.locator(".cell").nth(219).focus()
    page.keyboard.press("Shift+Space")
    expect(page.locator("[data-selected]")).to_have_text("220")
    with page.expect_download() as download:
        page.locator("[data-export=selected]").click()
    lines = download.value.path().read_text("utf-8").splitlines()
    assert [line for line in lines if line.startswith(str(first))]
    assert len([line for line in lines if not line.startswith("#")]) == 1 + 220


@pytest.fixture
def measured(api_record: Record) -> Iterator[None]:
    """The card of one of the versions in production tells of the standing benchmark."""
    ones = [1000 - 5 * step for step in range(101)]
    figures = {"confusion_matrix": [[1, 1], [300, 700]], "dataset": "rb-2018.9", "ones_by_threshold": ones}
    models = api_record.database["models"]
    models.update_one({"_id": RB}, {"$set": {"metrics": {"rb-2018.9": figures}}})
    yield
    models.update_one({"_id": RB}, {"$set": {"metrics": {}}})


@pytest.mark.usefixtures("measured")
def test_beside_a_slider_stands_what_the_benchmark_lets_expect_there(visit: Visit) -> None:
    page = visit.open(RESULTS)
    told = page.locator("[data-kept=rb]")
    expect(told).to_contain_text("100.0 % (99.6 to 100.0)")
    page.locator("input[name=rb]").focus()
    for _ in range(5):
        page.keyboard.press("PageUp")
    expect(told).to_contain_text("75.0 % (72.2 to 77.6)")
    expect(page).to_have_url(re.compile(r"rb=0\.5"))
    page.reload()
    expect(told).to_contain_text("75.0 % (72.2 to 77.6)")
    assert "1,000 true real streaks of rb-2018.9" in str(told.get_attribute("title"))
    expect(page.locator(".kept").nth(1)).to_have_text("completeness not known")
    assert visit.serious_faults() == []


def test_a_filter_that_is_none_is_told_where_it_was_typed(visit: Visit) -> None:
    page = visit.open(RESULTS)
    page.keyboard.press("/")
    page.keyboard.type("rb >>> 1")
    page.keyboard.press("Enter")
    expect(page.locator(".fault")).to_contain_text("filter")


def test_a_control_out_of_its_range_is_told_where_pictures_were(visit: Visit) -> None:
    page = visit.open(RESULTS)
    counted(page)
    page.locator("summary").click()
    page.locator("input[name=radius]").fill("0")
    page.keyboard.press("Enter")
    expect(page.locator("#pictures .fault")).to_contain_text("radius")
    expect(page.locator("[data-count]")).to_have_text("–")
    assert "radius" not in page.url
    visit.faults.clear()  # the browser's own line about the status


SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def test_pages_have_no_serious_fault_of_accessibility(visit: Visit, sample_night: list[str]) -> None:
    for path in (
        RESULTS,
        f"/cutouts/{sample_night[0]}",
        "/results?night=20000101",
        "/me",
        "/jobs",
        "/models",
        f"/models/{RB}",
        "/workers",
        "/nothing",
    ):
        looked_at(visit, path)
    for width in (1280, 820):
        visit.page.set_viewport_size({"width": width, "height": 900})
        visit.open(RESULTS)
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    visit.faults[:] = [fault for fault in visit.faults if "404" not in fault]  # of /nothing


def looked_at(visit: Visit, path: str) -> None:
    """Open a page in light and in dark, and find no fault."""
    for scheme in SCHEMES:
        visit.page.emulate_media(color_scheme=scheme)
        visit.open(path)
        assert visit.serious_faults() == [], (path, scheme)


def test_a_job_is_watched_while_it_is_scored(visit: Visit, api: ApiServer, api_record: Record) -> None:
    files = [("files", (f"watched-{n}.jpg", jpeg(960 + n))) for n in range(8)]
    token = api.log_in("web-operator", PASSWORD)
    job = str(api.ask("POST", "/v1/jobs/score", files=files, token=token).json()["job"])
    looked_at(visit, f"/jobs/{job}")
    page = visit.page
    expect(page.locator("[data-scored]")).to_have_text("0")
    assert score_shard(api_record, job, 0, {RB: 0.9, SL: 0.9})
    expect(page.locator("[data-scored]")).to_have_text("4")
    rejection = Rejection("decode", "truncated", "it ends early")
    assert score_shard(api_record, job, 1, {RB: 0.9, SL: 0.9}, rejection=rejection)
    expect(page.locator("[data-rejected]")).to_have_text("4")
    api_record.jobs.finish(job)
    expect(page.locator("[data-state]")).to_have_text("finished")  # and the page shows what came of it
    expect(page.locator("h2", has_text="Rejected")).to_be_visible()
    expect(page.locator(".grid img.cutout").first).to_be_visible()
    looked_at(visit, f"/jobs/{job}")


def test_a_job_is_cancelled_once_it_is_confirmed(visit: Visit, api: ApiServer, api_record: Record) -> None:
    files = [("files", ("cancelled.jpg", jpeg(970)))]
    token = api.log_in("web-operator", PASSWORD)
    job = str(api.ask("POST", "/v1/jobs/score", files=files, token=token).json()["job"])
    page = visit.open(f"/jobs/{job}")
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Cancel").click()
    found = api_record.jobs.get(job)
    assert found is not None
    assert not found.state.ended
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("[data-state]")).to_have_text("cancelled")


@pytest.fixture
def candidate(api_record: Record, sample_night: list[str]) -> Iterator[str]:
    """A version that turns every fourth score of the sample night round; it does not stay in production."""
    name = "rb@951"
    api_record.models.register(card(name, name.encode()), name.encode())
    scored = api_record.outcomes.find(sample_night, [RB]).values()
    outcomes = [
        Outcome(each.cutout, name, 1 - each.score if n % 4 == 0 else each.score)
        for n, each in enumerate(scored)
        if each.score is not None
    ]
    api_record.outcomes.insert(outcomes, provenance={})
    yield name
    api_record.models.promote(RB, by="test", even_if_worse=True)


def test_a_promotion_shows_what_would_flip_before_it_is_confirmed(
    visit: Visit, browsers: Mapping[Role, Browser], candidate: str, api_record: Record
) -> None:
    session = browsers["admin"].session.cookies["da_session"]
    visit.page.context.add_cookies([{"name": "da_session", "value": session, "url": visit.url}])
    page = visit.open("/models")
    page.locator("tr", has_text=candidate).get_by_role("link", name="Promote").click()
    expect(page.locator("h2", has_text=f"Against {RB}")).to_be_visible()
    told = page.locator("dd", has_text="that are not now").inner_text()
    assert int(told.split()[0].replace(",", "")) > 0
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        assert visit.serious_faults() == [], scheme
    page.get_by_label("even where it is worse").check()
    page.get_by_role("button", name=f"Promote {candidate}").click()
    page.wait_for_url("**/models")
    expect(page.locator("tr", has_text=candidate).locator(".state")).to_have_text("production")
    assert candidate in api_record.models.production()


def test_an_administrator_s_pages_have_no_serious_fault_of_accessibility(
    visit: Visit, browsers: Mapping[Role, Browser]
) -> None:
    session = browsers["admin"].session.cookies["da_session"]
    visit.page.context.add_cookies([{"name": "da_session", "value": session, "url": visit.url}])
    looked_at(visit, "/accounts")
    looked_at(visit, "/me")
    visit.page.context.clear_cookies()
    looked_at(visit, "/login")
