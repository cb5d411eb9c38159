"""`python -m bench.grid`: a page of 1,000 Results in Chromium, over a small record and a large one.

The browser is open at the service, as somebody's is who comes from another page, and has kept nothing of it;
the same page as the first thing that a new browser process does is told beside it. The first picture is the
first that the browser has loaded; the page is complete with its load event, when all pictures in sight are
there (those further down are loaded as somebody comes to them).
Cutouts are written straight to the record. What MongoDB looks at for a page is told by its `explain`.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from playwright.sync_api import Browser, sync_playwright

from api.web.results_query import Controls, sought
from bench.cutout_files import jpegs
from bench.local_service import LocalService, local_service
from bench.verdict import conclude
from cli.local.programs import Place, service_programs
from cli.local.supervisor import Program
from core.decision import classifier_of
from core.outcome import Outcome
from core.service_secrets import Secrets, read_secrets
from storage.decisions import set_production
from storage.grid import nights_of, ranking
from storage.record import Record

FIRST_PICTURE_S = 0.3
COMPLETE_S = 1.5
PER_PAGE = 1000
PICTURES = 1000
"""Files that differ; more cutouts share them."""
NIGHTS = ("20181103", "20181104", "20181105", "20181106")
CHROMIUM = Path("/usr/bin/chromium")
AT_ONCE = 5000
_SETTLED_S = 0.5
_FIRST_LOADED = """
document.addEventListener("load", (event) => {
  if (event.target.matches?.("img.cutout")) window.firstPicture ??= performance.now();
}, true);
"""


@dataclass(frozen=True)
class Measured:
    """Medians in seconds over some visits, each with a browser that has kept nothing."""

    cutouts: int
    first_picture_s: float
    complete_s: float
    slowest_complete_s: float
    server_s: float
    new_process_first_picture_s: float
    new_process_complete_s: float


def main() -> int:
    """Open the page over both records; returns 0 when the promises are kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.grid", description=__doc__)
    parser.add_argument("--cutouts", type=int, default=100_000)
    parser.add_argument("--small", type=int, default=1000)
    parser.add_argument("--visits", type=int, default=7)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="deep-asteroids-grid-") as scratch,
        local_service(Path(scratch) / "service", programs=_api_alone) as local,
        _chromium() as browser,
    ):
        fill(local.record, 0, args.small, seed=args.seed)
        small = measured(local, browser, args.small, visits=args.visits)
        fill(local.record, args.small, args.cutouts, seed=args.seed)
        large = measured(local, browser, args.cutouts, visits=args.visits)
        looked_at = documents_examined(local.record)
    kept = (
        all(
            each.first_picture_s <= FIRST_PICTURE_S and each.complete_s <= COMPLETE_S
            for each in (small, large)
        )
        and max(looked_at.values()) <= PER_PAGE + 1
    )
    return conclude(
        "grid",
        f"{PER_PAGE:,} of {args.cutouts:,} cutouts: first picture {large.first_picture_s:.2f} s (at most "
        f"{FIRST_PICTURE_S:g}), complete {large.complete_s:.2f} s (at most {COMPLETE_S:g}); of "
        f"{args.small:,}: {small.first_picture_s:.2f} s, {small.complete_s:.2f} s; "
        f"{max(looked_at.values()):,} documents looked at for a page at most",
        kept=kept,
        details={"small": asdict(small), "large": asdict(large), "documents examined": looked_at},
        as_json=args.json,
    )


def _api_alone(place: Place, secrets: Secrets) -> Sequence[Program]:
    return [program for program in service_programs(place, secrets) if program.name == "api"]


@contextmanager
def _chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def fill(record: Record, first: int, end: int, *, seed: int) -> None:
    """Cutouts `first` to `end` with scores by the versions in production, as if they had been scored."""
    chance = random.Random(seed + first)
    versions = record.models.production()
    blobs = [record.blobs.put(data) for _, data in jpegs(min(PICTURES, end), seed=seed)]
    began = datetime(2018, 11, 6, tzinfo=UTC)
    for start in range(first, end, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, end))
        names = {n: f"strkid{n:016d}_pid{n:012d}" for n in numbers}
        documents = [
            {
                "_id": name,
                "sha256": blobs[n % len(blobs)],
                "night": NIGHTS[n % len(NIGHTS)],
                "streakid": f"{n:016d}",
                "added": began + timedelta(seconds=n),
                "ra": n % 360,
                "dec": 0.0,
            }
            for n, name in names.items()
        ]
        record.database["cutouts"].insert_many(documents, ordered=False)
        scores = {
            name: {version: chance.betavariate(0.3, 1.0) for version in versions} for name in names.values()
        }
        outcomes = [
            Outcome(name, version, score) for name in scores for version, score in scores[name].items()
        ]
        record.outcomes.insert(outcomes, provenance={})
        set_production(record, versions, scores)
    print(f"  {end:,} cutouts on record", file=sys.stderr)


def measured(local: LocalService, browser: Browser, cutouts: int, *, visits: int) -> Measured:
    """Open the page some times in either way, after visits that do not count."""
    session = _session(local)
    found: list[dict[str, float]] = []
    new: list[dict[str, float]] = []
    for _ in range(visits + 1):
        found.append(_visit(browser, local.service.url, session, is_open=True))
        new.append(_visit(browser, local.service.url, session, is_open=False))
    del found[0], new[0]
    return Measured(
        cutouts=cutouts,
        first_picture_s=_median(found, "first"),
        complete_s=_median(found, "complete"),
        slowest_complete_s=round(max(each["complete"] for each in found), 3),
        server_s=_median(found, "server"),
        new_process_first_picture_s=_median(new, "first"),
        new_process_complete_s=_median(new, "complete"),
    )


def _visit(browser: Browser, url: str, session: str, *, is_open: bool) -> dict[str, float]:
    """One visit: seconds from the start of the navigation; `is_open`: the browser was there before."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        context.add_cookies([{"name": "da_session", "value": session, "url": url}])
        context.add_init_script(_FIRST_LOADED)
        page = context.new_page()
        if is_open:
            page.goto(f"{url}/healthz")  # has neither styles, scripts nor pictures that could be kept
            time.sleep(_SETTLED_S)
        page.goto(f"{url}/results?size={PER_PAGE}", wait_until="load")
        shown = page.locator("[data-cutout]").count()
        told: dict[str, Any] = page.evaluate(
            "() => ({first: window.firstPicture, ...performance.getEntriesByType('navigation')[0].toJSON()})"
        )
        if shown != PER_PAGE or told["first"] is None:
            raise RuntimeError(f"{shown} cutouts on the page, first picture at {told['first']}")
        time.sleep(_SETTLED_S)  # for what is still on its way, lest it disturb the next visit
        return {
            "first": told["first"] / 1000,
            "complete": told["loadEventEnd"] / 1000 or told["duration"] / 1000,
            "server": (told["responseEnd"] - told["requestStart"]) / 1000,
        }


def _session(local: LocalService) -> str:
    account = read_secrets(local.service.secrets_file).database
    login = {
        "username": account.admin_username,
        "password": account.admin_password.get_secret_value(),
    }
    answer = requests.post(f"{local.service.url}/login", json=login, timeout=30)
    answer.raise_for_status()
    return str(answer.cookies["da_session"])


def _median(found: Sequence[Mapping[str, float]], key: str) -> float:
    return round(statistics.median(each[key] for each in found), 3)


def documents_examined(record: Record) -> dict[str, int]:
    """How many documents MongoDB looks at for a page, by what is asked for."""
    rb = next(version for version in record.models.production() if classifier_of(version) == "rb")
    asked = {
        "all": Controls(size=PER_PAGE),
        "lowest first": Controls(size=PER_PAGE, order="low"),
        "a night": Controls(size=PER_PAGE, night=NIGHTS[0]),
        "rb >= 0.2": Controls(size=PER_PAGE, rb=0.2),
        "plausible": Controls(size=PER_PAGE, plausible="yes"),
        f"by {rb}": Controls(size=PER_PAGE, version=rb),
    }
    return {name: _examined(record, controls) for name, controls in asked.items()}


def _examined(record: Record, controls: Controls) -> int:
    wanted = sought(record, controls)
    asked = ranking(wanted, None)
    query = asked.of(nights_of(record, wanted))
    found = record.database[asked.collection].find(query, hint=asked.index)
    found = found.sort(asked.order).limit(controls.size + 1)
    return int(found.explain()["executionStats"]["totalDocsExamined"])


if __name__ == "__main__":
    sys.exit(main())
