"""One account of each role, for the tests of the pages."""

from collections.abc import Mapping

import pytest

from core.user import ROLES, Role
from storage.record import Record
from tests.api.server import ApiServer
from tests.api.web.browser import Browser, logged_in

PASSWORD = "a password of a test"


@pytest.fixture(scope="session")
def browsers(api: ApiServer, api_record: Record) -> Mapping[Role, Browser]:
    """A browser with a session of each role."""
    for role in ROLES:
        api_record.accounts.add(f"web-{role}", PASSWORD, role)
    return {role: logged_in(api, f"web-{role}", PASSWORD) for role in ROLES}
