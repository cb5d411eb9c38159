"""Subscriptions over HTTP and from the command line: who may have them, what is refused, what is shown."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cli.__main__ import main
from core.subscription import Subscription
from storage.record import Record
from tests.api.server import ApiServer, as_admin

PASSWORD = "a password of a test"
URL = "https://hooks.example.org/x"


@pytest.fixture
def operators(api: ApiServer, api_record: Record) -> Iterator[list[str]]:
    """Tokens of two operators; whatever they subscribe to is removed."""
    names = ("hook-one", "hook-two")
    for name in names:
        if not api_record.accounts.is_known(name):
            api_record.accounts.add(name, PASSWORD, "operator")
    yield [api.log_in(name, PASSWORD) for name in names]
    for found in api_record.subscriptions.all():
        api_record.subscriptions.remove(found.id)


def subscribe(api: ApiServer, token: str, **changes: Any) -> dict[str, Any]:
    wanted = {"name": "night", "filter": "plausible", "webhook": URL} | changes
    answer = api.ask("POST", "/v1/subscriptions", token=token, json=wanted)
    return {"status": answer.status_code} | dict(answer.json())


def test_a_secret_is_shown_once_and_others_subscriptions_are_not_there(
    api: ApiServer, api_record: Record, operators: list[str]
) -> None:
    one, two = operators
    made = subscribe(api, one)
    assert made["status"] == 201
    assert made["secret"].startswith("whsec_")
    path = f"/v1/subscriptions/{made['id']}"
    shown = api.ask("GET", path, token=one)
    assert shown.status_code == 200
    listed = api.ask("GET", "/v1/subscriptions", token=one)
    assert "secret" not in shown.text + listed.text
    assert made["secret"] not in shown.text + listed.text
    assert [s["id"] for s in listed.json()["subscriptions"]] == [made["id"]]
    for method, tail in (("GET", ""), ("DELETE", ""), ("POST", "/trial"), ("POST", "/retry")):
        assert api.ask(method, path + tail, token=two).status_code == 404
    assert api.ask("GET", "/v1/subscriptions", token=two).json()["subscriptions"] == []
    assert [s["id"] for s in api.ask("GET", "/v1/subscriptions").json()["subscriptions"]] == [made["id"]]
    assert api_record.subscriptions.get(made["id"]).secret == made["secret"]


def test_what_is_wrong_is_said(api: ApiServer, operators: list[str]) -> None:
    for changes, status, expected in (
        ({"webhook": "http://hooks.example.org/"}, 422, "allowed schemes: https"),
        ({"webhook": "https://127.0.0.1/"}, 422, "private address"),
        ({"webhook": "https://me:pw@hooks.example.org/"}, 422, "carries a user name"),
        ({"filter": "rb >"}, 400, "column"),
        ({"filter": "rb@77 > 0.5"}, 400, "rb@77"),
        ({"filter": ""}, 422, "filter"),
        ({"event": "jobs"}, 422, "filter"),
        ({"mail": "a@example.org"}, 422, "either"),
        ({"webhook": None}, 422, "either"),
        ({"webhook": None, "mail": "a@example.org"}, 400, "sends no mail"),
        ({"webhook": None, "mail": "a@example.org\nBcc: b@example.org"}, 400, "no address of e-mail"),
        ({"name": "a\nb"}, 422, "name"),
        ({"name": "a\x85b"}, 422, "name"),
        ({"name": "a\u2028b"}, 422, "name"),
        ({"name": "a\u2029b"}, 422, "name"),
    ):
        answer = subscribe(api, operators[0], **changes)
        assert (answer["status"], expected in json.dumps(answer)) == (status, True), answer


def test_an_owner_has_fifty_at_most(api: ApiServer, api_record: Record, operators: list[str]) -> None:
    for n in range(50):
        values: dict[str, Any] = {"id": f"full{n}", "name": "x", "owner": "hook-one", "event": "matches"}
        api_record.subscriptions.add(
            Subscription(**values, channel="webhook", target=URL, filter="plausible")
        )
    answer = subscribe(api, operators[0])
    assert (answer["status"], "remove some" in answer["detail"]) == (409, True)


def test_the_command_line_subscribes_shows_retries_and_removes(
    api: ApiServer,
    api_record: Record,
    operators: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    as_admin(monkeypatch)

    def run(*words: str) -> tuple[int, str]:
        status = main(["--server", api.url, "notify", *words])
        return status, capsys.readouterr().out

    status, said = run("add", "bright", "plausible and rb > 0.9", "--webhook", URL)
    assert status == 0
    assert "shown this once: whsec_" in said
    key = said.split(":")[0]
    assert "bright" in run("list")[1]
    assert "no messages yet" in run("show", key)[1]
    assert run("trial", key)[0] == 0
    claimed = api_record.deliveries.claim("webhook", but=[], lease_s=5)
    assert claimed is not None
    api_record.deliveries.failed(claimed, "it answered with 500", again_s=None)
    status, shown = run("show", key)
    assert "dead" in shown
    assert "it answered with 500" in shown
    assert run("retry", key) == (0, "1 sent again\n")
    assert run("remove", key)[0] == 0
    assert run("show", key)[0] == 1
    assert run("add", "mine", "--jobs", "--webhook", URL)[0] == 0
    assert "admin's jobs" in run("list", "--json")[1] or "admin's jobs" in run("list")[1]
