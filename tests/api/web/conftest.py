"""One account of each role, and one browser, for the tests of the pages."""

from collections.abc import Iterator, Mapping

import pytest
from playwright.sync_api import Browser as Chromium

from core.user import ROLES, Role
from storage.record import Record
from tests.api.server import ApiServer
from tests.api.versions import RB, SL
from tests.api.web.browser import Browser, logged_in
from tests.api.web.chromium import CHROMIUM, Visit, open_chromium
from tests.api.web.sample_night import put_sample_night

PASSWORD = "a password of a test"


@pytest.fixture(scope="session")
def browsers(api: ApiServer, api_record: Record) -> Mapping[Role, Browser]:
    """A browser with a session of each role."""
    for role in ROLES:
        api_record.accounts.add(f"web-{role}", PASSWORD, role)
    return {role: logged_in(api, f"web-{role}", PASSWORD) for role in ROLES}


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """One browser for all tests."""
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is missing")
    with open_chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def sample_night(api_record: Record) -> list[str]:
    """The bundled night on record; its cutouts' ids."""
    return put_sample_night(api_record, rb=RB, sl=SL)


@pytest.fixture
def visit(
    chromium: Chromium, api: ApiServer, browsers: Mapping[Role, Browser], sample_night: list[str]
) -> Iterator[Visit]:
    """A window with an operator's session; in the end nothing went wrong in it."""
    del sample_night
    with chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce") as context:
        session = browsers["operator"].session.cookies["da_session"]
        context.add_cookies([{"name": "da_session", "value": session, "url": api.url}])
        visit = Visit(context, api.url)
        yield visit
        assert visit.faults == []
