"""How much a request may bring, by where it goes and who sends it."""

import pytest

from storage.record import Record
from tests.api.server import ApiServer

BODY = b'{"filter": "' + b"x" * 2_000_000 + b'"}'
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def viewer(api: ApiServer, api_record: Record) -> str:
    """A viewer's token."""
    api_record.accounts.add("limited-viewer", "a password", "viewer")
    return api.log_in("limited-viewer", "a password")


@pytest.mark.parametrize("path", ["/v1/jobs/rescore", "/v1/jobs/train", "/v1/users", "/me/password", "/none"])
def test_what_is_parsed_is_small_whoever_sends_it(api: ApiServer, path: str) -> None:
    answer = api.ask("POST", path, data=BODY, headers=JSON)
    assert answer.status_code == 413, answer.text
    assert "expected at most 1048576" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/v1/models", "/v1/imports/deepstreaks:none/documents"])
def test_more_is_read_only_of_who_may_send_it(api: ApiServer, viewer: str, path: str) -> None:
    assert api.ask("POST", path, data=BODY, headers=JSON, token=viewer).status_code == 413
    assert api.ask("POST", path, data=BODY, headers=JSON).status_code in (400, 422)  # read, and found wrong


@pytest.mark.parametrize("path", ["/v1/jobs/score", "/v1/datasets", "/v1/nights/20181106"])
def test_where_files_are_streamed_the_role_is_asked_for_before_the_first_byte(
    api: ApiServer, viewer: str, path: str
) -> None:
    assert api.ask("POST", path, data=BODY, token=viewer).status_code == 403
    assert api.ask("POST", path, data=BODY).status_code in (400, 422)
