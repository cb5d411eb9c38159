"""People with accounts, and projects that are gone after each test."""

from collections.abc import Callable, Iterator

import pytest

from core.user import Role
from storage.record import Record
from tests.api.server import ApiServer

PASSWORD = "a-password-of-a-labeller"
COLLECTIONS = (
    *("projects", "label_datasets", "label_items", "label_faults", "label_events", "label_states"),
    *("label_settlements", "label_holds", "login_failures"),
)


@pytest.fixture(autouse=True)
def no_projects(api_record: Record) -> Iterator[None]:
    """Each test starts without projects."""
    yield
    for collection in COLLECTIONS:
        api_record.database[collection].delete_many({})


@pytest.fixture(scope="session")
def token_of(api: ApiServer, api_record: Record) -> Callable[[str], str]:
    """A token of anna or ben, who label, or of vera, who may only look."""
    tokens: dict[str, str] = {}
    roles: dict[str, Role] = {"anna": "labeller", "ben": "labeller", "vera": "viewer"}

    def token(name: str) -> str:
        if name not in tokens:
            api_record.accounts.add(name, PASSWORD, roles[name])
            tokens[name] = api.log_in(name, PASSWORD)
        return tokens[name]

    return token
