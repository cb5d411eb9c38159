"""Logging in by a form and as the predecessor's client does; who may change what with a session."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from api.web.pages.login import own_path
from api.web.rendering import CONTENT_SECURITY_POLICY
from core.user import Role
from storage.login_attempts import PER_PAIR, name_digest
from storage.record import Record
from tests.api.server import ADMIN, ApiServer
from tests.api.web.browser import Browser, logged_in

PASSWORD = "a password of a test"


def test_a_browser_without_a_session_is_led_to_the_login_and_back(api: ApiServer) -> None:
    browser = Browser(api)
    answer = browser.ask("GET", "/accounts?x=1")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login?next=%2Faccounts%3Fx%3D1")
    form = browser.ask("GET", answer.headers["Location"])
    assert form.status_code == 200
    assert 'name="next" value="/accounts?x=1"' in form.text
    assert browser.log_in(next="/accounts?x=1").headers["Location"] == "/accounts?x=1"
    assert browser.ask("GET", "/accounts").status_code == 200


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(api: ApiServer) -> None:
    cookie = Browser(api).log_in().headers["Set-Cookie"]
    assert re.match(r"da_session=[\w-]{43};", cookie)
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie  # this one came over http


SAID = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}


def test_what_is_said_of_the_client_is_believed_of_a_proxy_in_the_settings_alone(
    api: ApiServer, api_record: Record, mongo_url: str, redis_url: str, tmp_path: Path
) -> None:
    def cookie_and_address(server: ApiServer) -> tuple[bool, str]:
        login = {"username": ADMIN[0], "password": ADMIN[1]}
        answer = requests.post(f"{server.url}/login", json=login, headers=SAID, timeout=30)
        (entry,) = api_record.audit.read(limit=1).entries
        return "Secure" in answer.headers["Set-Cookie"], str(entry.more["address"])

    assert cookie_and_address(api) == (False, "127.0.0.1")
    name = api_record.database.name
    believing = {"DA_PROXIES": '["10.0.0.1", "127.0.0.0/8"]', "DA_BLOB_URL": api_record.blobs.url}
    servers = {"mongo_url": mongo_url, "redis_url": redis_url, "database": name}
    with ApiServer(tmp_path, **servers, **believing) as proxied:
        assert cookie_and_address(proxied) == (True, "203.0.113.7")


def test_the_predecessors_client_logs_in_by_json_and_needs_its_cookie_alone(api: ApiServer) -> None:
    client = requests.Session()
    answer = client.post(f"{api.url}/login", json={"username": ADMIN[0], "password": ADMIN[1]}, timeout=30)
    assert (answer.status_code, answer.json()) == (200, {"message": "success"})
    assert client.get(f"{api.url}/v1/users", timeout=30).status_code == 200
    made = client.post(f"{api.url}/v1/tokens", json={"scope": "viewer"}, timeout=30)
    assert made.status_code == 201
    assert api.ask("GET", "/v1/users", token=made.json()["access_token"]).status_code == 403


def test_a_wrong_password_opens_nothing_and_is_told_in_the_form(api: ApiServer) -> None:
    browser = Browser(api)
    answer = browser.log_in("nobody", '"><script>alert(1)</script>')
    assert answer.status_code == 401
    assert "wrong user name or password" in answer.text
    assert "Set-Cookie" not in answer.headers
    told = requests.post(f"{api.url}/login", json={"username": "x", "password": "y"}, timeout=30)
    assert (told.status_code, told.headers["Content-Type"]) == (401, "application/problem+json")


def test_who_fails_often_is_told_to_wait_and_others_are_not(api: ApiServer, api_record: Record) -> None:
    api_record.accounts.add("web-forgetful", PASSWORD, "viewer")
    browser = Browser(api)
    for _ in range(PER_PAIR):
        assert browser.log_in("web-forgetful", "wrong").status_code == 401
    held = browser.log_in("web-forgetful", PASSWORD)
    assert held.status_code == 429
    assert "try again in 5 minutes" in held.text
    answer = requests.post(
        f"{api.url}/auth", json={"username": "web-forgetful", "password": PASSWORD}, timeout=30
    )
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "300")
    assert browser.log_in().status_code == 303
    api_record.database["login_failures"].delete_many({"name": name_digest("web-forgetful")})


FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://elsewhere.example"},
    {"Origin": "null"},
    {"Origin": "http://["},
    {"Sec-Fetch-Site": "cross-site", "Authorization": ""},
    {"Origin": ""},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_another_sites_page_changes_nothing(api: ApiServer, headers: Mapping[str, str]) -> None:
    cookies = logged_in(api).session.cookies
    for method, path in (("POST", "/logout"), ("POST", "/v1/jobs/score"), ("DELETE", "/v1/jobs/x")):
        answer = requests.request(
            method, api.url + path, headers=headers, cookies=cookies, allow_redirects=False, timeout=30
        )
        assert answer.status_code == 403, (method, path)
        assert "another site" in answer.json()["detail"]
    login = {"username": ADMIN[0], "password": ADMIN[1]}
    assert requests.post(f"{api.url}/login", data=login, headers=headers, timeout=30).status_code == 403
    assert requests.get(f"{api.url}/me", cookies=cookies, timeout=30).status_code == 200


def test_a_page_of_this_site_changes_things_also_over_plain_http(api: ApiServer) -> None:
    cookies = logged_in(api).session.cookies
    answer = requests.post(
        f"{api.url}/logout", headers={"Origin": api.url}, cookies=cookies, allow_redirects=False, timeout=30
    )
    assert answer.status_code == 303
    assert requests.get(f"{api.url}/me", cookies=cookies, timeout=30).status_code == 401


def test_logging_out_ends_the_session_and_clears_the_cookie(api: ApiServer) -> None:
    browser = logged_in(api)
    kept = browser.session.cookies.copy()
    answer = browser.ask("POST", "/logout")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    assert 'da_session=""' in answer.headers["Set-Cookie"]
    assert requests.get(f"{api.url}/me", cookies=kept, timeout=30).status_code == 401


def test_a_session_dies_with_the_password_and_with_the_account(api: ApiServer) -> None:
    account = {"name": "web-brief", "password": PASSWORD, "role": "viewer"}
    assert api.ask("POST", "/v1/users", json=account).status_code == 201
    browser = logged_in(api, "web-brief", PASSWORD)
    changed = api.ask("PATCH", "/v1/users/web-brief", json={"password": "another password"})
    assert changed.status_code == 200
    assert browser.ask("GET", "/me").headers["Location"].startswith("/login")
    browser = logged_in(api, "web-brief", "another password")
    assert api.ask("DELETE", "/v1/users/web-brief").status_code == 204
    assert browser.ask("GET", "/me").status_code == 303
    assert browser.log_in("web-brief", "another password").status_code == 401


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "", "/a\n", "\\/x"],
)
def test_the_login_leads_to_no_other_site(path: str) -> None:
    assert own_path(path) == "/"
    assert own_path("/results?night=20181106") == "/results?night=20181106"


def test_pages_carry_a_strict_policy_and_are_not_kept(
    api: ApiServer, browsers: Mapping[Role, Browser]
) -> None:
    for answer in (Browser(api).ask("GET", "/login"), browsers["viewer"].ask("GET", "/nothing")):
        assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "unsafe" not in CONTENT_SECURITY_POLICY


def test_what_is_typed_is_shown_as_text(api: ApiServer, browsers: Mapping[Role, Browser]) -> None:
    evil = "<script>alert(1)</script>"
    for answer in (
        Browser(api).log_in(evil, "x"),
        Browser(api).ask("GET", "/login", params={"next": f"/{evil}"}),
        browsers["admin"].ask("GET", f"/{evil}"),
        browsers["admin"].ask(
            "POST", "/accounts", data={"name": evil, "password": PASSWORD, "role": "viewer"}
        ),
        browsers["admin"].ask("GET", "/accounts"),
    ):
        assert evil not in answer.text


def test_the_audit_log_tells_of_logins_failures_and_roles(
    api: ApiServer, browsers: Mapping[Role, Browser]
) -> None:
    Browser(api).log_in("web-unknown", "wrong")
    assert (
        browsers["admin"].ask("POST", "/accounts/web-labeller/role", data={"role": "viewer"}).status_code
        == 303
    )
    assert browsers["admin"].ask("POST", "/accounts/web-labeller/role", data={"role": "labeller"}).ok
    shown = browsers["admin"].ask("GET", "/accounts").text
    assert "login refused" in shown
    assert "web… (no account)" in shown
    assert "web-unknown" not in shown
    assert "before labeller" in shown
    assert PASSWORD not in shown
    refused = browsers["admin"].ask("GET", "/accounts", params={"what": "login refused"}).text
    assert "web… (no account)" in refused
    assert "before labeller" not in refused
    assert browsers["admin"].ask("GET", "/accounts", params={"before": "x"}).status_code == 400


def test_the_audit_log_tells_of_tokens_and_leads_to_what_is_older(
    api: ApiServer, api_record: Record, browsers: Mapping[Role, Browser]
) -> None:
    made = api.ask("POST", "/v1/tokens", json={"label": "brief"}).json()
    assert api.ask("DELETE", "/v1/tokens/current", token=made["access_token"]).status_code == 204
    found = api_record.audit.read(limit=2).entries
    assert [(entry.what, entry.more["label"]) for entry in found] == [
        ("token revoked", "brief"),
        ("token made", "brief"),
    ]
    old = {"who": "somebody-long-ago", "at": datetime(2020, 1, 1, tzinfo=UTC)}
    api_record.database["audit"].insert_many({"what": "noise", **old} for _ in range(401))
    browser, path, pages = browsers["admin"], "/accounts?what=noise", 0
    while path:
        answer = browser.ask("GET", path)
        assert answer.status_code == 200
        pages += "somebody-long-ago" in answer.text
        path = answer.text.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
        path = path.partition("#")[0]
    assert pages == 3


def test_only_an_administrator_sees_and_changes_accounts(browsers: Mapping[Role, Browser]) -> None:
    others: tuple[Role, ...] = ("operator", "labeller", "viewer")
    for role in others:
        browser = browsers[role]
        assert browser.ask("GET", "/accounts").status_code == 403
        for path in ("/accounts", "/accounts/web-viewer/role", "/accounts/web-viewer/remove"):
            form = {"name": "x", "password": PASSWORD, "role": "admin"}
            assert browser.ask("POST", path, data=form).status_code == 403, path
        assert browser.ask("POST", "/v1/users", json={}).status_code == 403
        assert browser.ask("GET", "/v1/users/me").json()["role"] == role
        assert "Accounts" not in browser.ask("GET", "/me").text


def test_what_the_secrets_file_would_undo_is_refused(
    api: ApiServer, browsers: Mapping[Role, Browser]
) -> None:
    new = "a password that would be undone"
    for method, path, body in (
        ("DELETE", f"/v1/users/{ADMIN[0]}", None),
        ("PATCH", f"/v1/users/{ADMIN[0]}", {"password": new}),
        ("PUT", "/v1/users/me/password", {"old": ADMIN[1], "new": new}),
    ):
        answer = api.ask(method, path, json=body)
        assert answer.status_code == 409, path
        assert "secrets.json" in answer.json()["detail"]
    page = browsers["admin"].ask("POST", f"/accounts/{ADMIN[0]}/password", data={"password": new})
    assert "secrets.json" in page.text
    assert Browser(api).log_in(ADMIN[0], new).status_code == 401
    assert Browser(api).log_in(*ADMIN).status_code == 303


def test_ones_own_password_needs_the_old_one(api: ApiServer, api_record: Record) -> None:
    api_record.accounts.add("web-own", PASSWORD, "viewer")
    browser = logged_in(api, "web-own", PASSWORD)
    refused = browser.ask("POST", "/me/password", data={"old": "wrong", "new": "a newer password"})
    assert refused.status_code == 400
    assert "wrong user name or password" in refused.text
    changed = browser.ask("POST", "/me/password", data={"old": PASSWORD, "new": "a newer password"})
    assert (changed.status_code, changed.headers["Location"]) == (303, "/login")
    assert browser.ask("GET", "/me").status_code == 303
    assert browser.log_in("web-own", "a newer password").status_code == 303
