"""A predecessor's collection, imported from the command line through the API."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from pymongo import MongoClient
from pymongo.collection import Collection

from cli import legacy_collection
from cli.__main__ import main
from cli.client import Client, GivenLogin
from cli.legacy_collection import LegacyCollection
from core.errors import Conflict
from core.outcome import Outcome
from storage.record import Record
from tests.api.server import ROOT, ApiServer, as_admin
from tests.legacy_documents import legacy_document
from tests.nights import streak
from tests.record import card

COLLECTION = "streaks"
NETWORK = "abc_VGG6_20181207_151757"
Run = Callable[..., tuple[int, dict[str, Any], str]]
Documents = Collection[dict[str, Any]]


@pytest.fixture
def theirs(mongo_url: str) -> Iterator[Documents]:
    """The predecessor's collection, in a database of its own."""
    name = f"test_theirs_{secrets.token_hex(4)}"
    with MongoClient[dict[str, Any]](mongo_url) as client:
        yield client[name][COLLECTION]
        client.drop_database(name)


@pytest.fixture
def source() -> str:
    """A name of this test's import: versions are by source, and the record is shared."""
    return f"t{secrets.token_hex(4)}"


@pytest.fixture
def run(
    api: ApiServer,
    theirs: Documents,
    source: str,
    mongo_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Import the collection; gives the exit status, the JSON, and what was said."""
    as_admin(monkeypatch)
    monkeypatch.setattr(legacy_collection, "PAGE_DOCUMENTS", 3)

    def run(*more: str, url: str = mongo_url) -> tuple[int, dict[str, Any], str]:
        where = ["--database", theirs.database.name, "--collection", COLLECTION, "--as", source]
        status = main(["--server", api.url, "--json", "import", "deepstreaks", url, *where, *more])
        said = capsys.readouterr()
        return status, json.loads(said.out), said.err

    return run


def ids(start: int, count: int) -> range:
    """Numbers of streaks that no other test has."""
    return range(start, start + count)


def counts(found: dict[str, Any], *names: str) -> list[int]:
    return [found["counts"][name] for name in names]


def test_a_collection_is_imported_and_a_second_time_changes_nothing(
    run: Run, theirs: Documents, api_record: Record, source: str
) -> None:
    theirs.insert_many([legacy_document(n) for n in ids(100, 8)])
    status, found, said = run()
    assert (status, found["done"], found["faults"]) == (0, True, [])
    assert counts(found, "documents", "cutouts", "metadata", "ades", "scores") == [8, 8, 8, 8, 40]
    assert "about 8 documents" in said
    assert "8 documents, 0 faults" in said
    version = found["versions"]["rb_vgg6"]
    assert version.startswith("legacy_rb@")
    assert api_record.outcomes.find([streak(103)], [version])[streak(103), version].score == 0.75
    before = list(api_record.database["outcomes"].find({"source": source}).sort("_id", 1))
    status, again, _ = run()
    assert status == 0
    assert counts(again, "documents", "cutouts", "metadata", "ades", "scores", "scores_came") == [
        *(8, 0, 0, 0, 0, 40)
    ]
    assert list(api_record.database["outcomes"].find({"source": source}).sort("_id", 1)) == before


def test_what_was_broken_off_goes_on_where_it_was(
    run: Run, theirs: Documents, api: ApiServer, source: str, mongo_url: str
) -> None:
    theirs.insert_many([legacy_document(n) for n in ids(200, 11)])
    client = Client(api.url, GivenLogin(api.token, None, None))
    collection = LegacyCollection(mongo_url, theirs.database.name, COLLECTION)
    name = f"{source}:{collection.identity()}"
    assert client.imports.begin(name)["state"]["cursor"] is None
    first, second, *_ = collection.pages(None)
    collection.close()
    client.imports.take(name, first.body())
    moved = client.imports.take(name, second.body())
    assert client.imports.take(name, second.body()) == moved  # an answer that was lost
    with pytest.raises(Conflict, match="somebody else is importing"):
        client.imports.take(name, first.body())
    theirs.delete_one({"_id": streak(205)})  # that the cursor stands on
    status, found, said = run()
    assert (status, found["done"]) == (0, True)
    assert "going on after 6 of them" in said
    assert counts(found, "documents", "cutouts", "scores", "scores_came") == [11, 11, 55, 55]


def test_a_killed_import_goes_on_and_every_score_is_there_once(
    run: Run,
    theirs: Documents,
    api: ApiServer,
    api_record: Record,
    source: str,
    mongo_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scores = {n: (n - 3000) / 1000 for n in ids(3000, 600)}
    theirs.insert_many([legacy_document(n, rb_vgg6=score) for n, score in scores.items()])
    where = ["--database", theirs.database.name, "--collection", COLLECTION, "--as", source]
    words = ["--server", api.url, "import", "deepstreaks", mongo_url, *where]
    program = "from cli import legacy_collection as c; c.PAGE_DOCUMENTS = 10; from cli.__main__ import main; "
    command = [sys.executable, "-c", f"{program} main({words!r})"]
    imports, ours = api_record.database["imports"], {"_id": {"$regex": f"^{source}:"}}
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, "DA_TOKEN": api.token}) as process:
        deadline = time.monotonic() + 60
        while (
            imports.find_one({"counts.documents": {"$gte": 50}, "_id": {"$regex": f"^{source}:"}})
        ) is None:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    state = imports.find_one(ours)
    assert state is not None
    assert 50 <= state["counts"]["documents"] < 600
    monkeypatch.setattr(legacy_collection, "PAGE_DOCUMENTS", 500)
    status, found, said = run()
    assert (status, found["done"]) == (0, True)
    assert "going on after" in said
    assert counts(found, "documents", "scores_came") == [600, 3000]
    version = found["versions"]["rb_vgg6"]
    outcomes = list(api_record.database["outcomes"].find({"_id.version": version}))
    assert {o["_id"]["cutout"]: o["score"] for o in outcomes} == {streak(n): s for n, s in scores.items()}
    assert len(outcomes) == 600


def test_what_can_t_be_taken_is_counted_and_named_and_exits_3(run: Run, theirs: Documents) -> None:
    good, bad = legacy_document(300), legacy_document(301, rb_vgg6="high")
    oid = ObjectId()
    strange: list[dict[str, Any]] = [
        {"_id": oid, "rb": 0.5},
        {"_id": 7, "rb": 0.5},
        {"_id": "strkid7_pid7"},
        {"_id": None},
    ]
    theirs.insert_many([good, bad, *strange])
    status, found, _ = run()
    assert status == 3
    assert counts(found, "documents", "unreadable", "cutouts", "scores", "faults") == [6, 4, 2, 9, 5]
    named = {fault["name"]: fault["reason"] for fault in found["faults"]}
    assert named.pop(f"{streak(301)} rb_vgg6") == "not_a_score"
    assert set(named.values()) == {"not_a_streak_id"}
    assert {"7", "None", "'strkid7_pid7'"} < set(named)
    assert any(str(oid) in name for name in named)
    theirs.update_one({"_id": streak(301)}, {"$set": {"rb_vgg6": 0.5}})
    theirs.delete_many({"_id": {"$not": {"$regex": "^strkid674"}}})
    status, mended, _ = run()
    assert (status, mended["faults"]) == (0, [])
    assert counts(mended, "documents", "scores") == [2, 1]


def test_a_network_s_field_stops_the_import_until_its_family_is_told(run: Run, theirs: Documents) -> None:
    theirs.insert_many([legacy_document(n, **({NETWORK: 0.5} if n == 404 else {})) for n in ids(400, 6)])
    status, told, said = run()
    assert status == 1
    assert f"{streak(404)} has a field '{NETWORK}'" in told["error"]
    status, found, said = run("--model", f"{NETWORK}=rb")
    assert status == 0
    assert "going on after 3 of them" in said
    assert found["versions"][NETWORK].startswith("legacy_rb@")


def test_networks_imported_from_their_files_are_held_against_their_scores(
    run: Run, theirs: Documents, api_record: Record
) -> None:
    theirs.insert_many([legacy_document(n, rb_vgg6=(n - 100) / 1000) for n in ids(500, 10)])
    version = api_record.models.next_version("rb")
    origin = {"imported_from": {"files": {f"{NETWORK}.architecture.json": "1", f"{NETWORK}.weights.h5": "2"}}}
    weights = version.encode()
    api_record.models.register(card(version, weights).model_copy(update={"training": origin}), weights)
    scores = [(n - 100) / 1000 + (0.1 if n == 503 else 0.0001) for n in ids(500, 9)]
    api_record.outcomes.insert(
        [Outcome(streak(500 + i), version, score) for i, score in enumerate(scores)], provenance={}
    )
    _, found, _ = run("--model", f"rb_vgg6=rb:{NETWORK}")
    (parity,) = found["parity"]
    assert (parity["before"], parity["after"]) == (found["versions"]["rb_vgg6"], version)
    assert (parity["network"], parity["n"], parity["without"], parity["to_1"]) == (NETWORK, 9, 1, 1)
    assert parity["within"] == {"0.001": 8 / 9, "0.01": 8 / 9}
    assert parity["most_changed"][0]["cutout"] == streak(503)
    assert parity["largest"] == pytest.approx(0.1)
    assert parity["correlation"] is not None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mongodb://me:s3cr3t@127.0.0.1:9", "does not answer"),
        ("mongodb://me:s3cr3t@127.0.0.1:99999", "no address of a MongoDB"),
        ("mongodb://me:s3c/r3t@127.0.0.1", "no address of a MongoDB"),
        ("https://me:s3cr3t@127.0.0.1", "no address of a MongoDB"),
    ],
)
def test_an_address_that_does_not_work_is_told_without_its_password(
    run: Run, monkeypatch: pytest.MonkeyPatch, url: str, said: str
) -> None:
    monkeypatch.setattr(legacy_collection, "PATIENCE_S", 0.2)
    status, told, err = run(url=url)
    assert status == 1
    assert said in told["error"]
    assert not any(secret in err + str(told) for secret in ("s3cr3t", "s3c/r3t"))


def test_a_wrong_password_a_collection_that_is_not_there_and_a_view_are_told(
    run: Run, theirs: Documents, mongo_url: str
) -> None:
    wrong = mongo_url.replace(mongo_url.split("@")[0].rsplit(":", 1)[1], "wr0ng")
    status, told, err = run(url=wrong)
    assert status == 1
    assert "AuthenticationFailed" in told["error"]
    assert "wr0ng" not in err
    status, told, _ = run()
    assert (status, "there is no collection" in told["error"]) == (1, True)
    theirs.database.create_collection(COLLECTION, viewOn="other", pipeline=[])
    status, told, _ = run()
    assert (status, "is a view; expected a collection" in told["error"]) == (1, True)


def test_the_text_names_versions_and_faults(
    api: ApiServer,
    theirs: Documents,
    source: str,
    mongo_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    theirs.insert_many([legacy_document(600, seeing=2.0), legacy_document(601, sl=None)])
    monkeypatch.setenv("DA_IMPORT_MONGO_URL", mongo_url)
    monkeypatch.setenv("DA_TOKEN", api.token)
    where = ["--database", theirs.database.name, "--collection", COLLECTION, "--as", source]
    assert main(["--server", api.url, "import", "deepstreaks", *where]) == 3
    out = capsys.readouterr().out
    assert "2 documents: 2 new cutouts, metadata of 2, ADES of 2, 9 new scores of 9" in out
    assert "rb_vgg6      legacy_rb@" in out
    assert "left out: seeing" in out
    assert f"  {streak(601)} sl: not_a_score, sl is None; expected a number from 0 to 1" in out


def test_only_operators_import_and_strange_pages_are_refused(api: ApiServer, tmp_path: Path) -> None:
    name = f"t{secrets.token_hex(4)}:abc"
    assert api.ask("POST", f"/v1/imports/{name}/documents", json={"documents": []}).status_code == 404
    assert api.ask("POST", "/v1/imports/Bad Name").status_code == 422
    assert api.ask("POST", f"/v1/imports/{name}").status_code == 200
    deep: Any = {}
    for _ in range(60):
        deep = {"a": deep}
    page = {"documents": [{"_id": streak(700), "ades": deep, "rb": 0.5}, {"_id": {"$oid": "1"}}, {}]}
    answer = api.ask("POST", f"/v1/imports/{name}/documents", json=page | {"last": "x"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["counts"]["faults"] == 3
    many: dict[str, Any] = {"documents": [{}] * 2001}
    assert api.ask("POST", f"/v1/imports/{name}/documents", json=many).status_code == 413
    body = b'{"documents": [' + b'{"a":' * 100_000
    headers = {"Content-Type": "application/json"}
    answer = api.ask("POST", f"/v1/imports/{name}/documents", data=body, headers=headers)
    assert answer.status_code in (400, 422)


def test_what_an_import_notes_of_fields_does_not_grow_with_the_collection(
    api: ApiServer, api_record: Record
) -> None:
    name = f"t{secrets.token_hex(4)}:abc"
    api.ask("POST", f"/v1/imports/{name}")

    def take(page: int, field: str) -> Any:
        documents = [legacy_document(page, **{f"{field}_{page}_{n}": 0.5 for n in range(40)})]
        body = {"documents": [dict(d, last_modified=None) for d in documents]}
        after = {"after": str(page - 1)} if page else {}
        return api.ask("POST", f"/v1/imports/{name}/documents", json=body | after | {"last": str(page)})

    for page in range(7):
        assert take(page, "unheard_of").status_code == 200
    stored = api_record.database["imports"].find_one({"_id": name})
    assert stored is not None
    assert len(stored["left_out"]) == 200
    answers = [take(page, "rb").status_code for page in range(7, 13)]
    assert answers == [200] * 4 + [413] * 2
    found = api.ask("GET", f"/v1/imports/{name}").json()["state"]
    assert len(found["versions"]) == 4 * 40 + 5
    assert found["cursor"] == "10"
