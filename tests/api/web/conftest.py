"""One account of each role, and one browser, for the tests of the pages."""

from collections.abc import Callable, Iterator, Mapping

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

Enter = Callable[[str], Visit]


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


@pytest.fixture(scope="session")
def labellers(api_record: Record) -> tuple[str, str]:
    """Two accounts of people who label."""
    names = ("label-anna", "label-ben")
    for name in names:
        api_record.accounts.add(name, PASSWORD, "labeller")
    return names


@pytest.fixture
def enter(chromium: Chromium, api: ApiServer, labellers: tuple[str, str]) -> Iterator[Enter]:
    """Windows of people who have logged in; in the end nothing went wrong in them but the connection."""
    del labellers
    visits: list[Visit] = []

    def entered(name: str) -> Visit:
        context = chromium.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
        visits.append(Visit(context, api.url))
        visits[-1].log_in(name, PASSWORD)
        return visits[-1]

    yield entered
    for visit in visits:
        visit.page.context.close()
        assert [fault for fault in visit.faults if "ERR_" not in fault] == []
