"""Debian's Chromium, driven by Playwright: pages as people see them, and what every page has to keep to."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

from tests.api.server import ROOT

CHROMIUM = Path("/usr/bin/chromium")
AXE = ROOT / "tests" / "assets" / "axe.min.js"


@contextmanager
def open_chromium() -> Iterator[Browser]:
    """One browser for many tests; each takes a context of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visit:
    """A window on the site, with what went wrong in it: faults of scripts, and requests to other hosts."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.page: Page = context.new_page()
        self.page.set_default_timeout(10_000)
        self.url = url
        self.faults: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda message: self._said(message.type, message.text))
        context.on("request", self._asked)

    def open(self, path: str) -> Page:
        """Go to a page of the site, until it and its pictures are there."""
        self.page.goto(self.url + path, wait_until="load")
        return self.page

    def log_in(self, name: str, password: str) -> None:
        """Through the form, by keyboard."""
        self.open("/login")
        self.page.locator("input[name=username]:focus").wait_for()  # a frame after it is there
        self.page.keyboard.type(name)
        self.page.keyboard.press("Tab")
        self.page.keyboard.type(password)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url("**/results*")

    def serious_faults(self) -> list[str]:
        """What axe-core finds of serious or critical faults of accessibility."""
        self.page.evaluate(AXE.read_text("utf-8"))
        found: dict[str, Any] = self.page.evaluate("axe.run({resultTypes: ['violations']})")
        return [
            f"{fault['id']}: {node['html'][:160]}"
            for fault in found["violations"]
            if fault["impact"] in ("serious", "critical")
            for node in fault["nodes"]
        ]

    def _said(self, kind: str, text: str) -> None:
        if kind == "error":
            self.faults.append(text)

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.url, "data:")):
            self.faults.append(f"asked another host: {request.url}")
