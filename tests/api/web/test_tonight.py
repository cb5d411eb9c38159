"""Tonight: streaks as they come, verdicts by key, and reports that only people send."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
import requests
from playwright.sync_api import Page, expect

from core.user import Role
from storage.record import Record
from tests.api.events import events_of
from tests.api.server import ApiServer
from tests.api.versions import RB, SL
from tests.api.web.browser import Browser, logged_in
from tests.api.web.chromium import Visit
from tests.api.web.conftest import PASSWORD
from tests.images import jpeg

NIGHT = "20190704"
STATION = {
    "mpc_code": "I41",
    "submitter": "A. N. Observer",
    "measurers": ["A. N. Observer"],
    "design": "Schmidt",
    "aperture_m": 1.22,
    "detector": "CCD",
    "astrometric_catalogue": "Gaia2",
}


def put_streak(record: Record, n: int, *, night: str = NIGHT, **more: object) -> str:
    """A plausible streak of a night that is on record as if it had been scored."""
    name = f"strkid{night}{n:04}_pid{night}"
    document = {
        "_id": name,
        "sha256": record.blobs.put(jpeg(70_000 + n)),
        "night": night,
        "streakid": f"{night}{n:04}",
        "added": datetime(2019, 7, 4, tzinfo=UTC) + timedelta(seconds=n),
        "ra": 10.5 + n,
        "dec": -5.25,
        "startmjd": 58668.25,
        "endmjd": 58668.25 + 30 / 86_400,
        "rb": 0.9,
        "sl": 0.8,
        "scores": {RB: 0.9, SL: 0.8},
        "versions": {"rb": RB, "sl": SL},
        "plausible": True,
    }
    record.database["cutouts"].insert_one(document | more)
    return name


@pytest.fixture
def night(api_record: Record) -> Iterator[list[str]]:
    """Eight streaks of one night, and none of their verdicts afterwards."""
    ids = [put_streak(api_record, n) for n in range(8)]
    yield ids
    api_record.database["cutouts"].delete_many({"night": NIGHT})
    api_record.database["verdicts"].delete_many({"cutout": {"$regex": NIGHT}})


@pytest.fixture(scope="module")
def reporting(
    api_record: Record, mongo_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiServer]:
    """A service on the same record whose station is set."""
    folder: Path = tmp_path_factory.mktemp("reporting")
    servers = {"mongo_url": mongo_url, "redis_url": redis_url, "database": api_record.database.name}
    blobs = api_record.blobs.url
    with ApiServer(folder, **servers, DA_STATION=json.dumps(STATION), DA_BLOB_URL=blobs) as server:
        yield server


def give(browser: Browser, n: int, cutout: str, word: str, **more: str) -> requests.Response:
    """Send a verdict as the page does."""
    return browser.ask("PUT", f"/v1/verdicts/{n:032x}", json={"cutout": cutout, "word": word, **more})


def test_labellers_judge_and_viewers_look(browsers: Mapping[Role, Browser], night: list[str]) -> None:
    labeller, viewer = browsers["labeller"], browsers["viewer"]
    assert give(viewer, 1, night[0], "accepted").status_code == 403
    answer = give(labeller, 2, night[0], "accepted").json()
    assert (answer["standing"]["word"], answer["standing"]["person"]) == ("accepted", "web-labeller")
    assert answer["events"][0]["seen"] == {RB: 0.9, SL: 0.8}
    assert give(labeller, 2, night[0], "accepted").json() == answer
    assert give(labeller, 2, night[0], "rejected").status_code == 409
    assert give(browsers["admin"], 3, night[0], "rejected").json()["standing"]["person"] == "web-admin"
    assert give(labeller, 4, night[0], "undone", undoes=f"{3:032x}").status_code == 409
    assert give(labeller, 5, night[0], "undone", undoes=f"{2:032x}").json()["standing"]["word"] == "rejected"
    told = viewer.ask("GET", f"/v1/cutouts/{night[0]}/verdicts").json()
    assert [event["word"] for event in told["events"]] == ["accepted", "rejected", "undone"]
    shown = viewer.ask("GET", f"/tonight?night={NIGHT}&show=rejected").text
    assert "rejected by web-admin" in shown
    assert "data-word" not in shown


def test_a_verdict_that_is_none_is_refused(browsers: Mapping[Role, Browser], night: list[str]) -> None:
    labeller = browsers["labeller"]
    assert give(labeller, 1, "nothing", "accepted").status_code == 404
    assert give(labeller, 1, night[0], "maybe").status_code == 422
    assert give(labeller, 1, night[0], "undone").status_code == 422
    assert give(labeller, 1, night[0], "accepted", undoes=f"{1:032x}").status_code == 422
    assert labeller.ask("PUT", "/v1/verdicts/short", json={}).status_code == 422
    for query in ("night=2019", "show=x", "night=20190704' or 1"):
        assert labeller.ask("GET", f"/tonight?{query}").status_code == 422, query


def test_a_missing_setting_of_the_station_is_told_by_name(
    browsers: Mapping[Role, Browser], night: list[str]
) -> None:
    give(browsers["labeller"], 11, night[0], "accepted")
    answer = browsers["viewer"].ask("GET", f"/v1/ades?night={NIGHT}", headers={"Accept": "application/json"})
    assert answer.status_code == 409
    assert "station.mpc_code, station.submitter" in answer.json()["detail"]
    assert "station.mpc_code" in browsers["viewer"].ask("GET", f"/tonight?night={NIGHT}").text


def test_accepted_streaks_are_reported_and_what_can_not_be_is_told(
    reporting: ApiServer, api_record: Record, browsers: Mapping[Role, Browser], night: list[str]
) -> None:
    viewer = Browser(reporting)
    viewer.session.cookies.update(browsers["viewer"].session.cookies)
    path = f"/v1/ades?night={NIGHT}&format="
    assert viewer.ask("GET", f"{path}xml").status_code == 409
    lacking = put_streak(api_record, 99, startmjd=None)
    for n, cutout in enumerate([night[1], night[4], lacking]):
        assert give(browsers["labeller"], 20 + n, cutout, "accepted").ok
    give(browsers["labeller"], 30, night[2], "rejected")
    answer = viewer.ask("GET", f"{path}xml")
    assert answer.headers["Content-Type"] == "application/xml"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="I41-{NIGHT}.xml"'
    root = ElementTree.fromstring(answer.content)
    found = [(optical.findtext("obsSubID"), optical.findtext("ra")) for optical in root.iter("optical")]
    assert found == [(night[1], "11.5000000"), (night[4], "14.5000000")]
    assert f"left out {lacking}" in str(root.findtext("obsBlock/obsContext/comment/line"))
    psv = viewer.ask("GET", f"{path}psv").text
    assert psv.startswith("# version=2022\n# observatory\n! mpcCode I41\n")
    assert psv.count("2019-07-04T06:00:15.000Z") == 2
    assert (
        f"{lacking}</a>: its metadata have no startmjd" in viewer.ask("GET", f"/tonight?night={NIGHT}").text
    )


def test_events_tell_of_streaks_and_verdicts_until_the_session_ends(
    api: ApiServer, api_record: Record, browsers: Mapping[Role, Browser], night: list[str]
) -> None:
    api_record.accounts.add("web-watcher", PASSWORD, "viewer")
    watcher = logged_in(api, "web-watcher", PASSWORD)
    give(browsers["labeller"], 40, night[0], "accepted")
    address = f"{api.url}/tonight/events?night={NIGHT}"
    with requests.get(address, cookies=watcher.session.cookies, stream=True, timeout=30) as stream:
        news = (data for _, _, data in events_of(stream))
        first = next(news)
        assert first["streaks"] == night
        assert first["verdicts"][night[0]]["word"] == "accepted"
        later = put_streak(api_record, 50)
        assert next(news) == {"streaks": [later], "verdicts": {}}
        give(browsers["labeller"], 41, night[0], "undone", undoes=f"{40:032x}")
        assert next(news) == {"streaks": [], "verdicts": {night[0]: None}}
        api_record.accounts.set_password("web-watcher", "another password")
        assert list(news) == []
    answer = requests.get(address, cookies=watcher.session.cookies, timeout=30)
    assert answer.status_code == 401


def numbers(page: Page) -> list[int]:
    """How many are to look at, accepted and rejected, as the page says."""
    return [
        int(page.locator(f"[data-number={word}]").inner_text()) for word in ("open", "accepted", "rejected")
    ]


def word_of(page: Page, cutout: str) -> str | None:
    return page.locator(f"[data-cutout='{cutout}']").get_attribute("data-verdict")


def test_streaks_are_judged_by_keys_alone_and_any_number_of_steps_taken_back(
    visit: Visit, api_record: Record, night: list[str]
) -> None:
    page = visit.open(f"/tonight?night={NIGHT}")
    expect(page.locator("[data-live]")).to_have_text("live")
    page.keyboard.press("ArrowRight")
    for key in "aaxa":
        page.keyboard.press(key)
    expect(page.locator("[data-number=accepted]")).to_have_text("3")
    assert [word_of(page, cutout) for cutout in night[:5]] == [
        "accepted",
        "accepted",
        "rejected",
        "accepted",
        None,
    ]
    for _ in range(2):
        page.keyboard.press("u")
    expect(page.locator("[data-number=accepted]")).to_have_text("2")
    page.keyboard.press("x")
    expect(page.locator("[data-number=rejected]")).to_have_text("1")
    expect(page.locator("#streaks")).to_have_attribute("data-owed", "0")
    page.reload()
    expect(page.locator(".streak")).to_have_count(5)
    assert numbers(page) == [5, 2, 1]
    page.keyboard.press("u")  # also those of before
    expect(page.locator("[data-number=open]")).to_have_text("6")
    words = [event.word for event in api_record.verdicts.of_cutout(night[2])]
    assert words.count("undone") == len(words) // 2
    assert visit.serious_faults() == []


def test_new_streaks_come_to_the_end_and_other_people_s_verdicts_are_seen(
    visit: Visit, api_record: Record, browsers: Mapping[Role, Browser], night: list[str]
) -> None:
    page = visit.open(f"/tonight?night={NIGHT}")
    expect(page.locator("[data-live]")).to_have_text("live")
    later = put_streak(api_record, 60)
    expect(page.locator(".streak").last).to_have_attribute("data-cutout", later)
    picture = page.locator(".streak img").last
    expect(picture).to_be_visible()
    give(browsers["labeller"], 61, night[3], "rejected")
    expect(page.locator(f"[data-cutout='{night[3]}'] [data-by]")).to_have_text("rejected by web-labeller")
    assert numbers(page) == [8, 0, 1]


def test_presses_outlive_a_lost_connection(visit: Visit, api_record: Record, night: list[str]) -> None:
    page = visit.open(f"/tonight?night={NIGHT}")
    expect(page.locator("[data-live]")).to_have_text("live")
    page.route("**/v1/verdicts/*", lambda route: route.abort())
    page.keyboard.press("ArrowRight")
    page.keyboard.press("a")
    page.keyboard.press("x")
    expect(page.locator("[data-fault]")).to_contain_text("2 not sent yet")
    assert api_record.verdicts.of_cutout(night[0]) == []
    page.unroute("**/v1/verdicts/*")
    page.reload()
    expect(page.locator("#streaks")).to_have_attribute("data-owed", "0")
    expect(page.locator("[data-number=accepted]")).to_have_text("1")
    assert [event.word for event in api_record.verdicts.of_cutout(night[1])] == ["rejected"]
    visit.faults[:] = [fault for fault in visit.faults if "ERR_FAILED" not in fault]


def test_tonight_has_no_serious_fault_of_accessibility(visit: Visit, night: list[str]) -> None:
    for path in (
        f"/tonight?night={NIGHT}",
        "/tonight?night=20000101",
        f"/tonight?night={NIGHT}&show=rejected",
    ):
        for scheme in ("light", "dark"):
            visit.page.emulate_media(color_scheme=scheme)
            visit.open(path)
            assert visit.serious_faults() == [], (path, scheme)
    for width in (1280, 820):
        visit.page.set_viewport_size({"width": width, "height": 900})
        visit.open(f"/tonight?night={NIGHT}")
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
