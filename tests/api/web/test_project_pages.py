"""Labelling projects in a real browser: made, filled by dropping files, edited, exported, removed."""

import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from core.user import Role
from storage.record import Record
from tests.api.labelling.conftest import COLLECTIONS
from tests.api.server import ApiServer
from tests.api.web.browser import Browser
from tests.api.web.chromium import Visit
from tests.api.web.sample_night import NIGHT
from tests.images import jpeg

SPITEFUL = "<img src=x onerror=alert(1)> & \"'"
FILE = SPITEFUL.replace('"', "") + ".jpg"  # a browser sends a quote as %22


@pytest.fixture(autouse=True)
def no_projects(api_record: Record) -> Iterator[None]:
    """Each test starts without projects, also those of other files, and leaves none."""
    for collection in COLLECTIONS:
        api_record.database[collection].delete_many({})
    yield
    for collection in COLLECTIONS:
        api_record.database[collection].delete_many({})


def make_project(page: Page, name: str = "Streaks") -> None:
    form = page.locator("form[action='/projects']")
    form.locator("[name=name]").fill(name)
    form.locator("[name=classes]").fill("streak no_streak")
    form.get_by_role("button", name="Make it").click()
    page.wait_for_url(re.compile(r"/projects/[0-9a-f]{24}$"))


def make_dataset(page: Page, name: str = "A night") -> None:
    form = page.locator("form[action$='/datasets']")
    form.locator("[name=name]").fill(name)
    form.get_by_role("button", name="Make it").click()
    page.wait_for_url(re.compile(r"/datasets/[0-9a-f]{24}$"))


def drop(page: Page, files: Mapping[str, bytes]) -> None:
    """Drop files on the page, as from a file manager."""
    given = [[name, list(data)] for name, data in files.items()]
    page.evaluate(
        """(given) => {
            const transfer = new DataTransfer();
            for (const [name, bytes] of given) transfer.items.add(new File([new Uint8Array(bytes)], name));
            for (const type of ["dragenter", "dragover", "drop"])
              document.querySelector("[data-upload]").dispatchEvent(
                new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
        }""",
        given,
    )


def told(page: Page, words: str) -> None:
    expect(page.locator("[data-upload] [data-told]")).to_contain_text(words, timeout=30_000)


def test_a_project_is_made_filled_shown_edited_and_removed(visit: Visit) -> None:
    page = visit.open("/projects")
    expect(page.get_by_text("You are in no project yet")).to_be_visible()
    assert visit.serious_faults() == []
    make_project(page)
    assert visit.serious_faults() == []
    make_dataset(page)
    drop(page, {f"{n}.jpg": jpeg(300 + n, width=40, height=40) for n in range(3)} | {"page.jpg": b"<html>"})
    told(page, "Done. 3 new, 1 not taken in.")
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    expect(page.get_by_role("button", name="Send the rest again")).to_be_hidden()
    expect(page.locator(".refused li")).to_contain_text("page.jpg: not_an_image")
    page.get_by_role("button", name="Show").click()
    pictures = page.locator(".items img.cutout")
    expect(pictures).to_have_count(3)
    assert pictures.first.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 40
    expect(page.get_by_role("heading", name="1 file could not be taken in")).to_be_visible()
    assert visit.serious_faults() == []
    page.get_by_text("Edit", exact=True).click()
    page.locator("form[action$='/edit'] [name=name]").fill("Another night")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Another night")).to_be_visible()
    page.get_by_text("Remove the data set").click()
    removal = page.locator(".removal form")
    removal.locator("[name=name]").fill("A night")
    removal.get_by_role("button").click()
    expect(page.get_by_role("alert")).to_contain_text("expected 'Another night'")
    visit.faults.clear()  # the console tells of every answer of 400
    page.get_by_text("Remove the data set").click()
    removal.locator("[name=name]").fill("Another night")
    removal.get_by_role("button").click()
    page.wait_for_url(re.compile(r"/projects/[0-9a-f]{24}$"))
    expect(page.get_by_text("None yet.")).to_be_visible()
    page.get_by_text("Remove the project").click()
    removal.locator("[name=name]").fill("Streaks")
    removal.get_by_role("button").click()
    expect(page.get_by_text("You are in no project yet")).to_be_visible()


def test_what_people_type_is_text_on_every_page(visit: Visit) -> None:
    page = visit.open("/projects")
    make_project(page, SPITEFUL)
    expect(page.get_by_role("heading", name=SPITEFUL, exact=True)).to_be_visible()
    make_dataset(page, SPITEFUL)
    drop(
        page,
        {FILE: jpeg(310, width=40, height=40), SPITEFUL + ".svg": b"<svg/>"},
    )
    told(page, "1 new, 1 not taken in")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".items .title")).to_have_attribute("title", FILE)
    assert page.locator("main img[src='x']").count() == 0
    visit.open("/projects")
    expect(page.get_by_role("link", name=SPITEFUL, exact=True)).to_be_visible()


def test_a_wrong_class_is_told_and_what_was_typed_is_kept(visit: Visit) -> None:
    page = visit.open("/projects")
    form = page.locator("form[action='/projects']")
    form.locator("[name=name]").fill("Streaks")
    form.locator("[name=classes]").fill("streak <script>")
    visit.faults.clear()
    form.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("alert")).to_contain_text("class '<script>'; expected 1 to 64 letters")
    assert form.locator("[name=classes]").input_value() == "streak <script>"
    visit.faults.clear()  # the console tells of every answer of 400


def test_thousands_of_files_go_in_parts_and_survive_a_lost_connection(
    visit: Visit, api_record: Record
) -> None:
    page = visit.open("/projects")
    make_project(page)
    make_dataset(page)
    data = jpeg(320, width=40, height=40)
    asked: list[str] = []

    def cut_every_fifth(route: object) -> None:
        asked.append("")
        route.abort() if len(asked) % 5 == 2 else route.continue_()  # type: ignore[attr-defined]

    page.route("**/files", cut_every_fifth)
    page.evaluate(
        """async (bytes) => {
            const transfer = new DataTransfer();
            const data = new Uint8Array(bytes);
            for (let n = 0; n < 1200; n += 1) transfer.items.add(new File([data], `${n}.jpg`));
            const input = document.querySelector("[data-files]");
            input.files = transfer.files;
            input.dispatchEvent(new Event("change"));
        }""",
        list(data),
    )
    told(page, "Done. 1,200 new.")
    assert len(asked) > 12
    dataset = page.url.rpartition("/")[2]
    assert api_record.label_datasets.count([dataset]) == {dataset: 1200}
    visit.faults = [fault for fault in visit.faults if "ERR_FAILED" not in fault]


def test_what_a_session_that_ended_kept_from_being_sent_is_sent_after_a_new_login(visit: Visit) -> None:
    page = visit.open("/projects")
    make_project(page)
    make_dataset(page)
    session = page.context.cookies()
    page.context.clear_cookies()
    drop(page, {f"{n}.jpg": jpeg(340 + n, width=40, height=40) for n in range(3)})
    told(
        page,
        "Your session has ended. Log in again in another window, then send the rest. 3 files were not sent.",
    )
    page.context.add_cookies(session)  # type: ignore[arg-type]  # they come as they go
    page.get_by_role("button", name="Send the rest again").click()
    told(page, "Done. 3 new.")
    visit.faults = [fault for fault in visit.faults if "401" not in fault]


def test_an_export_is_imported_by_dropping_it(visit: Visit, api_record: Record) -> None:
    page = visit.open("/projects")
    make_project(page)
    make_dataset(page)
    drop(page, {"a.jpg": jpeg(330, width=40, height=40)})
    told(page, "1 new")
    page.locator(".crumbs a").nth(1).click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Export all").click()
    exported = Path(download.value.path()).read_bytes()
    with zipfile.ZipFile(io.BytesIO(exported)) as archive:
        assert sum(name.endswith("/a.jpg") for name in archive.namelist()) == 1
    for collection in COLLECTIONS:
        api_record.database[collection].delete_many({})
    visit.open("/projects")
    drop(page, {"export.zip": exported})
    told(page, "1 new")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", name="Streaks")).to_be_visible()
    expect(page.get_by_role("link", name="A night", exact=True)).to_be_visible()


def test_a_user_of_a_project_sees_no_control_that_is_not_theirs(
    visit: Visit, api: ApiServer, browsers: Mapping[Role, Browser]
) -> None:
    page = visit.open("/projects")
    make_project(page)
    make_dataset(page)
    project = page.url.split("/projects/")[1].split("/")[0]
    where = page.url.removeprefix(api.url)
    for role in ("labeller", "viewer"):
        assert browsers[role].ask("GET", where).status_code == 404
        assert browsers[role].ask("GET", f"/projects/{project}").status_code == 404
        browsers["operator"].ask(
            "POST", f"/projects/{project}/members", data={"user": f"web-{role}", "role": "user"}
        )
        for path in (f"/projects/{project}", where):
            text = browsers[role].ask("GET", path).text
            assert "data-upload" not in text
            assert "/remove" not in text
            assert "/edit" not in text
        for path in (f"/projects/{project}/remove", f"{where}/remove", f"/projects/{project}/edit"):
            data = {"name": "Streaks", "classes": "a b"}
            assert browsers[role].ask("POST", path, data=data).status_code == 403
    other = {"Sec-Fetch-Site": "cross-site"}
    forged = browsers["operator"].ask(
        "POST", f"/projects/{project}/remove", data={"name": "Streaks"}, headers=other
    )
    assert forged.status_code == 403
    assert browsers["operator"].ask("GET", f"/projects/{project}").status_code == 200


def put(page: Page, name: str) -> None:
    """Into a new data set of this name."""
    dialog = page.locator("#send")
    expect(dialog.get_by_label("Its name")).to_be_visible()
    dialog.get_by_label("Its name").fill(name)
    page.keyboard.press("Enter")


def test_a_selection_from_results_is_put_into_a_data_set(visit: Visit) -> None:
    page = visit.open("/projects")
    make_project(page)
    project = page.url
    visit.open(f"/results?night={NIGHT}&size=60")
    page.locator(".cell").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+Space")
    page.get_by_role("button", name="Label selected").click()
    expect(page.locator("#send h2")).to_contain_text("3 cutouts")
    assert visit.serious_faults() == []
    put(page, "Chosen")
    expect(page.locator("#send [data-told]")).to_contain_text("3 new.")
    page.locator("#send [data-put]").click()
    expect(page.locator("#send [data-told]")).to_contain_text("0 new, 3 there already.")
    page.get_by_role("link", name="Show").click()
    expect(page.locator(".items img.cutout")).to_have_count(3)
    page.goto(project)
    expect(page.get_by_role("row", name="Chosen")).to_contain_text("a selection")


def test_all_that_is_shown_is_put_into_a_data_set(visit: Visit) -> None:
    page = visit.open("/projects")
    make_project(page)
    visit.open(f"/results?night={NIGHT}&rb=0.5&size=60")
    held: list[Route] = []
    page.route("**/v1/projects", lambda route: held.append(route))
    page.get_by_role("button", name="Label all that are like this").click()
    put(page, "All")  # before the projects are known
    told = page.locator("#send [data-told]")
    expect(told).to_have_text("Looking for your projects…")
    held.pop().continue_()
    expect(told).to_contain_text(re.compile(r"[1-9]\d* new\."))
    number = told.inner_text().split()[0]
    page.reload()  # others' scores may have come since it was opened
    expect(page.locator("[data-count]")).to_have_text(number)


def test_who_has_no_project_is_told_where_to_make_one(visit: Visit) -> None:
    page = visit.open(f"/results?night={NIGHT}&size=60")
    page.get_by_role("button", name="Label selected").click()
    expect(page.locator("#send [data-told]")).to_contain_text("Nothing is selected")
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Label all that are like this").click()
    expect(page.locator("#send [data-told]")).to_contain_text("You are an admin of no project yet")
    expect(page.locator("#send").get_by_role("link", name="Labelling")).to_have_attribute("href", "/projects")
