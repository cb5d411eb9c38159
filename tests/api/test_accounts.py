"""Who may ask: logging in, tokens, roles; nobody else but for health."""

import re
from typing import Any

import pytest
import requests

from api.gate import OPEN_PATHS
from api.main import create_app
from core.settings import Settings
from storage.record import Record
from tests.api.server import ADMIN, ApiServer
from tests.images import jpeg


def test_a_password_gives_a_token_that_opens_the_api(api: ApiServer) -> None:
    login = {"username": ADMIN[0], "password": ADMIN[1]}
    answer = requests.post(f"{api.url}/auth", json=login, timeout=30)
    assert answer.status_code == 200
    assert answer.json()["token_type"] == "bearer"
    assert api.ask("GET", "/v1/models", token=answer.json()["access_token"]).status_code == 200


def test_a_wrong_password_is_told_apart_from_nothing(api: ApiServer) -> None:
    details = set()
    for user in (ADMIN[0], "nobody"):
        login = {"username": user, "password": "wrong"}
        answer = requests.post(f"{api.url}/auth", json=login, timeout=30)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        details.add(answer.json()["detail"])
    assert details == {"wrong user name or password"}


def test_both_forms_of_the_authorization_header_work(api: ApiServer) -> None:
    for value in (f"Bearer {api.token}", f"bearer {api.token}", api.token):
        answer = requests.get(f"{api.url}/v1/models", headers={"Authorization": value}, timeout=30)
        assert answer.status_code == 200, value


@pytest.mark.parametrize("value", [None, "", "Bearer", "Bearer da_wrong", "da_wrong", "Basic YTpi"])
def test_a_wrong_token_is_refused(api: ApiServer, value: str | None) -> None:
    headers = {} if value is None else {"Authorization": value}
    answer = requests.post(f"{api.url}/v1/jobs/score", headers=headers, data=b"x", timeout=30)
    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_every_path_but_health_and_login_needs_a_token(api: ApiServer) -> None:
    description = create_app(Settings()).openapi()
    operations = [
        (method, re.sub(r"{\w+}", "x", path))
        for path, methods in description["paths"].items()
        for method in methods
    ]
    operations += [("get", path) for path in ("/openapi.json", "/docs", "/redoc", "/", "/nothing", "/auth/")]
    assert len(operations) > 20
    for method, path in operations:
        if path not in OPEN_PATHS:
            answer = requests.request(method, api.url + path, timeout=30)
            assert answer.status_code == 401, (method, path)
    assert {"/healthz", "/readyz", "/auth", "/login"} == OPEN_PATHS


def test_the_description_and_no_page_is_served_with_a_token(api: ApiServer) -> None:
    assert api.ask("GET", "/openapi.json").json()["info"]["title"] == "deep-asteroids"
    assert api.ask("GET", "/docs").status_code == 404


def test_a_revoked_token_is_worth_nothing(api: ApiServer) -> None:
    token = api.log_in(*ADMIN)
    assert api.ask("DELETE", "/v1/tokens/current", token=token).status_code == 204
    assert api.ask("GET", "/v1/jobs", token=token).status_code == 401


def test_tokens_are_listed_by_an_id_that_is_no_secret_and_revoked_by_it(api: ApiServer) -> None:
    token = api.log_in(*ADMIN)
    listed = api.ask("GET", "/v1/tokens").json()["tokens"]
    assert all(token not in str(entry) for entry in listed)
    assert api.ask("DELETE", f"/v1/tokens/{listed[0]['id']}").status_code == 204
    assert api.ask("GET", "/v1/jobs", token=token).status_code == 401
    assert api.ask("DELETE", f"/v1/tokens/{listed[0]['id']}").status_code == 404


def test_a_token_with_a_scope_neither_outlives_itself_nor_touches_others(api: ApiServer) -> None:
    def made(token: str, **wanted: object) -> Any:
        answer = api.ask("POST", "/v1/tokens", json=wanted, token=token)
        assert answer.status_code == 201
        return answer.json()

    own = api.log_in(*ADMIN)
    parent = made(own, scope="operator", days=1)
    child = made(parent["access_token"], scope="admin", days=3660)
    assert (child["scope"], child["expires"][:19]) == ("operator", parent["expires"][:19])
    listed = api.ask("GET", "/v1/tokens", token=own).json()["tokens"]
    narrow = child["access_token"]
    assert api.ask("GET", "/v1/tokens", token=narrow).status_code == 403
    assert api.ask("DELETE", f"/v1/tokens/{listed[-1]['id']}", token=narrow).status_code == 403
    assert api.ask("GET", "/me", token=narrow).status_code == 403
    assert api.ask("DELETE", "/v1/tokens/current", token=narrow).status_code == 204
    assert api.ask("GET", "/v1/jobs", token=parent["access_token"]).status_code == 200


def test_a_viewer_sees_and_may_not_submit_or_cancel(api: ApiServer, api_record: Record) -> None:
    api_record.accounts.add("accounts-viewer", "a password", "viewer")
    token = api.log_in("accounts-viewer", "a password")
    assert api.ask("GET", "/v1/jobs", token=token).status_code == 200
    refused = api.ask("POST", "/v1/jobs/score", token=token, files={"files": ("a.jpg", jpeg())})
    assert refused.status_code == 403
    assert "viewer" in refused.json()["detail"]
    assert api.ask("DELETE", "/v1/jobs/x", token=token).status_code == 403


def test_a_stranger_may_not_send_much(api: ApiServer) -> None:
    answer = requests.post(f"{api.url}/auth", data=b"x" * 100_000, timeout=30)
    assert answer.status_code == 413
    malformed = requests.post(f"{api.url}/auth", json={"username": 1}, timeout=30)
    assert malformed.status_code == 422
    assert {field["field"] for field in malformed.json()["fields"]} == {"body.username", "body.password"}


def test_answers_carry_security_headers(api: ApiServer) -> None:
    for path in ("/healthz", "/v1/jobs", "/nothing"):
        headers = requests.get(api.url + path, timeout=30).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
