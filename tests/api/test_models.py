"""The registry over HTTP: who may change what is in production."""

import io
import json
import zipfile
from pathlib import Path

import keras
import pytest
from keras import layers

from cli.__main__ import main
from cli.client import Client, GivenLogin
from cli.model_files import export_model, import_model
from core.errors import InvalidRequest
from models.architectures import build
from models.bundle import load_network, write_bundle
from storage.record import Record
from tests.api.scoring import score_job
from tests.api.server import ApiServer, as_admin
from tests.api.versions import RB, SL
from tests.images import jpeg
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


def test_a_threshold_is_moved_by_an_administrator_alone(api: ApiServer, api_record: Record) -> None:
    add(api_record, "kd@7")
    api_record.accounts.add("dusk-operator", "a long enough password", "operator")
    operator = api.log_in("dusk-operator", "a long enough password")
    path = "/v1/models/kd@7/threshold"
    assert api.ask("PUT", path, token=operator, json={"threshold": 0.4}).status_code == 403
    for wrong, status in ((0, 400), (1, 400), (1.2, 400), ("high", 422), (None, 422)):
        assert api.ask("PUT", path, json={"threshold": wrong}).status_code == status, wrong
    assert api.ask("PUT", "/v1/models/kd@99/threshold", json={"threshold": 0.4}).status_code == 404
    answer = api.ask("PUT", path, json={"threshold": 0.61})
    assert answer.json() == {"version": "kd@7", "threshold": 0.61, "before": 0.5}
    assert api.ask("GET", "/v1/models/kd@7").json()["threshold"] == 0.61
    api_record.database["models"].delete_many({"classifier": "kd"})


def test_thresholds_and_members_from_the_command_line(
    api: ApiServer, api_record: Record, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    as_admin(monkeypatch)
    models = ("--server", api.url, "models")
    add(api_record, "kd@8")
    add(api_record, "kd@9")
    assert main([*models, "threshold", "kd@8", "0.61"]) == 0
    assert "kd@8 calls 1 from 0.61 on, 0.5 before" in capsys.readouterr().out
    assert main([*models, "threshold", "kd@8", "61"]) == 1
    assert "expected a number above 0 and below 1" in capsys.readouterr().err
    assert main([*models, "promote", "kd@8"]) == 0
    assert main([*models, "promote", "kd@9", "--beside"]) == 0
    assert "kd@9 is in production; it replaced nothing" in capsys.readouterr().out
    assert {"kd@8", "kd@9"} <= set(api_record.models.production())
    api_record.database["models"].delete_many({"classifier": "kd"})


def test_a_member_is_promoted_beside_and_results_show_each_score(api: ApiServer, api_record: Record) -> None:
    name = "rb@971"
    add(api_record, name)
    answer = api.ask("POST", f"/v1/models/{name}/promote", json={"beside": True})
    assert answer.json() == {"version": name, "replaced": []}
    files = [("files", ("a.jpg", jpeg(4321)))]
    job = api.ask("POST", "/v1/jobs/score", files=files).json()["job"]
    score_job(api_record, job, {RB: 0.2, name: 0.7, SL: 0.9})
    (result,) = api.ask("GET", f"/v1/jobs/{job}/results").json()["results"]
    assert (result["rb"], result["plausible"], result["versions"]["rb"]) == (0.7, True, name)
    assert result["scores"] == {RB: 0.2, name: 0.7, SL: 0.9}
    assert api.ask("POST", f"/v1/models/{name}/archive").status_code == 200
    assert api.ask("POST", f"/v1/models/{RB}/archive").status_code == 409
    api_record.database["models"].delete_one({"_id": name})


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


def archive(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in members.items():
            file.writestr(name.replace("_", "."), data)
    return buffer.getvalue()


def test_a_version_is_registered_from_its_files(api: ApiServer, api_record: Record) -> None:
    told = card("kd@5", b"five").model_dump_json().encode()
    answer = api.ask("POST", "/v1/models", data=archive(card_json=told, weights_npz=b"five"))
    assert (answer.status_code, answer.headers["Location"]) == (201, "/v1/models/kd@5")
    assert answer.json()["stage"] == "candidate"
    assert api.ask("GET", "/v1/models/kd@5/weights").content == b"five"
    other = card("kd@5", b"else").model_dump_json().encode()
    answer = api.ask("POST", "/v1/models", data=archive(card_json=other, weights_npz=b"else"))
    assert answer.status_code == 409
    api_record.database["models"].delete_many({"classifier": "kd"})


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"no zip", 400, "no readable zip"),
        (
            archive(card_json=b"{}", weights_npz=b"x" * 500).replace(b"x" * 60, b"y" * 60),
            400,
            "no readable zip",
        ),
        (archive(card_json=b"{}"), 400, "expected card.json and weights.npz"),
        (archive(card_json=b"{}", weights_npz=b"", evil_py=b""), 400, "expected card.json and weights.npz"),
        (archive(card_json=b"{}", weights_npz=b""), 422, "version"),
        (archive(card_json=b" " * 2**21, weights_npz=b""), 413, "expected at most"),
        (
            archive(card_json=card("kd@6", b"six").model_dump_json().encode(), weights_npz=b"other"),
            400,
            "not those of its card",
        ),
    ],
)
def test_files_that_are_no_version_are_refused(api: ApiServer, body: bytes, status: int, said: str) -> None:
    answer = api.ask("POST", "/v1/models", data=body)
    assert answer.status_code == status
    assert said in answer.text


def test_a_version_travels_as_files(api: ApiServer, api_record: Record, tmp_path: Path) -> None:
    """A bundle goes in and comes out the same; a broken one never arrives."""
    client = Client(api.url, GivenLogin(api.token, None, None))
    bundle = tmp_path / "bundle"
    write_bundle(bundle, build("vgg6"), version="sl@800", architecture="vgg6", dtype="int8")
    told = json.loads((bundle / "card.json").read_text())
    try:
        added = import_model(client, bundle, architecture=None, version=None, threshold=0.5)
        assert (added["version"], added["stage"]) == ("sl@800", "candidate")
        out = export_model(client, "sl@800", tmp_path / "out", form="bundle")
        assert (out / "weights.npz").read_bytes() == (bundle / "weights.npz").read_bytes()
        (bundle / "weights.npz").write_bytes((out / "weights.npz").read_bytes()[:-9])
        (bundle / "card.json").write_text(json.dumps(told | {"version": "sl@801"}))
        with pytest.raises(InvalidRequest, match="sha256"):
            import_model(client, bundle, architecture=None, version=None, threshold=0.5)
        assert api_record.models.get("sl@801") is None
    finally:
        api_record.database["models"].delete_many({"_id": "sl@800"})


def test_two_versions_of_the_service_are_evaluated_against_each_other(
    api: ApiServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    as_admin(monkeypatch)
    asked = ["evaluate", "rb@3", "rb-2018.9", "--seed", "3", "--count", "40", "--against", "rb@3"]
    assert main(["--server", api.url, *asked, "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert (found["against"]["model"], found["against"]["delta"]["mean"]) == ("rb@3", 0)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras while it saves
def test_any_network_is_imported_with_its_recipe(
    api: ApiServer,
    api_record: Record,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    as_admin(monkeypatch)
    flat = [keras.Input((144, 144, 1)), layers.AveragePooling2D(8), layers.Flatten()]
    file = tmp_path / "mine.keras"
    keras.Sequential([*flat, layers.Dense(1, activation="sigmoid")]).save(file)
    words = ["--server", api.url, "models", "import", str(file), "--version", "kd@10"]
    assert main([*words, "--recipe", "deepstreaks-7"]) == 1
    assert "recipe 'deepstreaks-7'; expected one of deepstreaks-1" in capsys.readouterr().err
    assert main([*words, "--recipe", "deepstreaks-1", "--classes", "ditch,keep", "--threshold", "0.4"]) == 0
    assert "kd@10 is registered as a candidate" in capsys.readouterr().out
    card = api_record.models.get("kd@10")
    assert card is not None
    assert (card.architecture, card.classes, card.threshold) == ("imported", ("ditch", "keep"), 0.4)
    assert load_network(card, api_record.models.weights(card)).output_shape == (None, 1)
    api_record.database["models"].delete_many({"classifier": "kd"})
