"""Take the pictures of the site, while `./streaks demo` runs.

`python docs/make_screenshots.py URL USER PASSWORD`, from the repository's root.
"""

import csv
import io
import secrets
import sys
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import APIRequestContext, Page, ViewportSize, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
DOCS = Path("docs")
TRUTH = Path("sample/night/truth.csv")
COLOURS = 48
CLASSES = ("bogus", "real")
NOON = "2018-11-06T12:00:00Z"
SIZE: ViewportSize = {"width": 1120, "height": 720}


def main(url: str, user: str, password: str) -> None:
    """Log in, and take each page once."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, reduced_motion="reduce")
        take(page, f"{url}/login", "site-login")
        page.fill("input[name=username]", user)
        page.fill("input[name=password]", password)
        page.press("input[name=password]", "Enter")
        page.wait_for_url("**/results*")
        take(page, f"{url}/results", "site-results")
        take_tonight(page, url)
        page.goto(f"{url}/results")
        page.locator(".cell").first.click()
        page.wait_for_url("**/cutouts/**")
        take(page, page.url, "site-cutout")
        for name in ("workers", "accounts", "me"):
            take(page, f"{url}/{name}", f"site-{name}")
        take_models(page, url)
        take(page, f"{url}/jobs", "site-jobs")
        page.locator("tbody a").first.click()
        page.wait_for_url("**/jobs/*")
        take(page, page.url, "site-job")
        take_labelling(page, url)
        browser.close()


def take_models(page: Page, url: str) -> None:
    """The list, and of a model that is not in production its page and what promoting it would change."""
    take(page, f"{url}/models", "site-models")
    models = page.request.get(f"{url}/v1/models").json()["models"]
    version = next(model["version"] for model in models if model["stage"] != "production")
    take(page, f"{url}/models/{version}", "site-model")
    take(page, f"{url}/models/{version}/promote", "site-promote")


def take_tonight(page: Page, url: str) -> None:
    """Some streaks of the last hours, of which four are judged, and taken back afterwards."""
    page.goto(f"{url}/tonight", wait_until="load")
    page.locator(".streak").first.wait_for()
    page.keyboard.press("ArrowRight")
    for key in "aaxa":
        page.keyboard.press(key)
    page.wait_for_timeout(1500)
    shoot(page, "site-tonight")
    for _ in "aaxa":
        page.keyboard.press("u")
    page.locator("#streaks[data-owed='0']").wait_for()


def take_labelling(page: Page, url: str) -> None:
    """A project of the sample night's cutouts, which two people label: its pages, the grid, agreement."""
    project, dataset, names = labelled_project(page.request, url)
    with TRUTH.open(encoding="utf-8") as file:
        real = {Path(row["file"]).name for row in csv.DictReader(file) if row["rb"] == "1"}
    label = f"{url}/projects/{project}/datasets/{dataset}/label"
    take(page, f"{url}/projects", "site-projects")
    take(page, f"{url}/projects/{project}", "site-project")
    take(page, f"{url}/projects/{project}/datasets/{dataset}", "site-label-dataset")
    take(page, f"{label}?mode=single", "site-label-single")
    take(page, f"{url}/projects/{project}/agreement", "site-agreement")
    page.goto(label, wait_until="load")
    cells = page.locator(".cells li:visible")
    cells.last.wait_for()
    for key in ("Shift+Digit2", "Enter", "Enter", "Shift+Digit1"):  # on to where both classes are
        page.keyboard.press(key)
    for cell in cells.all():
        if names[str(cell.get_attribute("data-item"))] in real:
            cell.click()
    page.wait_for_timeout(500)
    shoot(page, "site-label")


def labelled_project(request: APIRequestContext, url: str) -> tuple[str, str, dict[str, str]]:
    """Make the project; returns its id, its data set's, and the files' names by item."""

    def ask(method: str, path: str, token: str = "", **data: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = request.fetch(f"{url}{path}", method=method, data=data or None, headers=headers)
        if not answer.ok:
            sys.exit(f"{method} {path}: {answer.text()}")
        return answer.json()

    wanted: dict[str, Any] = {"name": "Streaks of the sample night", "classes": CLASSES, "classifier": "rb"}
    project = str(ask("POST", "/v1/projects", **wanted)["id"])
    dataset = str(ask("POST", f"/v1/projects/{project}/datasets", name="2018-11-06")["id"])
    base = f"/v1/projects/{project}/datasets/{dataset}"
    ask("POST", f"{base}/items", filter="has rb")
    stages = {model["version"]: model["stage"] for model in ask("GET", "/v1/models")["models"]}
    network = next(v for v, stage in stages.items() if stage == "production" and v.startswith("rb@"))
    queue = ask("GET", f"{base}/queue?order=low&version={network}")["items"]
    for n, name in enumerate(("anna", "ben")):
        password = secrets.token_urlsafe(16)
        ask("POST", "/v1/users", name=name, password=password, role="labeller")
        ask("PUT", f"/v1/projects/{project}/members/{name}", role="user")
        token = ask("POST", "/auth", username=name, password=password)["access_token"]
        events = [
            {"id": secrets.token_hex(16), "item": item["item"], "at": NOON, "class": CLASSES[i > 56 - 3 * n]}
            for i, item in enumerate(queue[: 66 - 8 * n])
        ]
        ask("POST", f"{base}/events", token, events=events)
    return project, dataset, {item["item"]: item["name"] for item in queue}


def take(page: Page, address: str, name: str) -> None:
    """One page, as it is when it is opened."""
    page.goto(address, wait_until="load")
    page.wait_for_timeout(500)  # for counts and events
    shoot(page, name)


def shoot(page: Page, name: str) -> None:
    """What the window shows now, as a PNG of few colours, so that it is small."""
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        small = picture.convert("RGB").quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    small.save(DOCS / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:4])
