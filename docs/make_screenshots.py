"""Take the pictures of the site, while `./streaks demo` runs.

`python docs/make_screenshots.py URL USER PASSWORD`, from the repository's root.
"""

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, ViewportSize, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
DOCS = Path("docs")
COLOURS = 48
SIZE: ViewportSize = {"width": 1120, "height": 720}


def main(url: str, user: str, password: str) -> None:
    """Log in, and take each page once."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, reduced_motion="reduce")
        page.goto(f"{url}/login")
        page.fill("input[name=username]", user)
        page.fill("input[name=password]", password)
        page.press("input[name=password]", "Enter")
        page.wait_for_url("**/results*")
        take(page, f"{url}/results", "site-results")
        page.locator(".cell").first.click()
        page.wait_for_url("**/cutouts/**")
        take(page, page.url, "site-cutout")
        take(page, f"{url}/models", "site-models")
        take(page, f"{url}/workers", "site-workers")
        page.goto(f"{url}/jobs")
        page.locator("tbody a").first.click()
        page.wait_for_url("**/jobs/*")
        take(page, page.url, "site-job")
        browser.close()


def take(page: Page, address: str, name: str) -> None:
    """One page as a PNG of few colours, so that it is small."""
    page.goto(address, wait_until="load")
    page.wait_for_timeout(500)  # for counts and events
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        small = picture.convert("RGB").quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    small.save(DOCS / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:4])
