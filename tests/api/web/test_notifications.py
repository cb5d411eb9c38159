"""Of what one is told, on the page of one's account."""

import re
from collections.abc import Mapping

from core.user import Role
from storage.record import Record
from tests.api.web.browser import Browser


def test_an_operator_subscribes_sees_what_is_dead_and_removes(
    browsers: Mapping[Role, Browser], api_record: Record
) -> None:
    browser = browsers["operator"]
    form = {"name": "bright <b>", "filter": "rb > 0.9", "target": "https://hooks.example.org/x"}
    made = browser.ask("POST", "/me/subscriptions", data=form)
    assert made.status_code == 200
    assert re.search(r"whsec_[A-Za-z0-9_-]{43}", made.text)
    assert "bright &lt;b&gt;" in made.text
    assert "whsec_" not in browser.ask("GET", "/me").text
    (subscription,) = api_record.subscriptions.all(owner="web-operator")
    path = f"/me/subscriptions/{subscription.id}"
    assert browser.ask("POST", f"{path}/trial").status_code == 303
    claimed = api_record.deliveries.claim("webhook", but=[], lease_s=5)
    assert claimed is not None
    api_record.deliveries.failed(claimed, "no answer", again_s=None)
    assert "Send again" in browser.ask("GET", "/me").text
    assert browser.ask("POST", f"{path}/retry").status_code == 303
    assert api_record.deliveries.counts([subscription.id]) == {subscription.id: {"pending": 1}}
    assert browsers["admin"].ask("GET", "/me").text.count("bright") == 0
    assert browser.ask("POST", f"{path}/remove").status_code == 303
    assert api_record.subscriptions.all(owner="web-operator") == []


def test_what_is_wrong_is_said_on_the_page_and_labellers_are_told_of_nothing(
    browsers: Mapping[Role, Browser],
) -> None:
    browser = browsers["operator"]
    for form, expected in (
        ({"name": "x", "filter": "rb >", "target": "https://hooks.example.org/"}, "column"),
        ({"name": "x", "filter": "rb > 0.5", "target": "http://hooks.example.org/"}, "allowed schemes"),
        ({"name": "x", "filter": "", "target": "me@example.org"}, "sends no mail"),
    ):
        answer = browser.ask("POST", "/me/subscriptions", data=form)
        assert (answer.status_code, expected in answer.text) == (400, True), form
    assert "What you are told of" not in browsers["labeller"].ask("GET", "/me").text
