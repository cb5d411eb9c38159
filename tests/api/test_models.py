"""The registry over HTTP: who may change what is in production."""

from storage.record import Record
from tests.api.server import ApiServer
from tests.record import card


def add(record: Record, version: str) -> None:
    weights = version.encode()
    record.models.register(card(version, weights), weights)


def test_an_administrator_promotes_and_archives(api: ApiServer, api_record: Record) -> None:
    add(api_record, "kd@1")
    add(api_record, "kd@2")
    answer = api.ask("POST", "/v1/models/kd@1/promote", json={})
    assert answer.json() == {"version": "kd@1", "replaced": []}
    answer = api.ask("POST", "/v1/models/kd@2/promote", json={})
    assert answer.status_code == 409
    assert "not measured on one test set" in answer.json()["detail"]
    answer = api.ask("POST", "/v1/models/kd@2/promote", json={"even_if_worse": True})
    assert answer.json() == {"version": "kd@2", "replaced": ["kd@1"]}
    assert api.ask("GET", "/v1/models/kd@1").json()["stage"] == "archived"
    assert api.ask("POST", "/v1/models/kd@2/archive").status_code == 409
    api_record.database["models"].delete_many({"classifier": "kd"})


def test_an_operator_may_not_change_the_registry(api: ApiServer, api_record: Record) -> None:
    add(api_record, "kd@3")
    api_record.accounts.add("night-operator", "a long enough password", "operator")
    token = api.log_in("night-operator", "a long enough password")
    for change in ("promote", "archive"):
        answer = api.ask("POST", f"/v1/models/kd@3/{change}", token=token, json={})
        assert answer.status_code == 403, change
        assert "expected admin" in answer.json()["detail"]
    assert api.ask("GET", "/v1/models/kd@3", token=token).json()["stage"] == "candidate"
    api_record.database["models"].delete_many({"classifier": "kd"})


def test_weights_come_as_they_were_registered(api: ApiServer, api_record: Record) -> None:
    add(api_record, "kd@4")
    assert api.ask("GET", "/v1/models/kd@4/weights").content == b"kd@4"
    assert api.ask("GET", "/v1/models/kd@99/weights").status_code == 404
    assert api.ask("POST", "/v1/models/kd@99/promote", json={}).status_code == 404
    api_record.database["models"].delete_many({"classifier": "kd"})
