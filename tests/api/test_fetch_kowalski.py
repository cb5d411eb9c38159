"""Candidates out of Kowalski, by its real client, into nights: whole, once, whatever fails on the way."""

import gzip
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import penquins
import pytest
from pymongo import MongoClient

from cli.__main__ import main
from storage.record import Record
from tests.api.scoring import items_of, score_job
from tests.api.server import ROOT, ApiServer, as_admin
from tests.api.versions import RB, SL
from tests.kowalski_server import (
    ACCOUNT,
    CATALOG,
    NIGHT,
    KowalskiServer,
    alert,
    broken_off,
    candid,
    cut,
    status,
    streak,
)

Run = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture
def kowalski(mongo_url: str) -> Iterator[KowalskiServer]:
    """A Kowalski with an empty catalogue."""
    name = f"test_kowalski_{secrets.token_hex(4)}"
    with MongoClient[dict[str, Any]](mongo_url) as client, KowalskiServer(client[name]) as server:
        client[name].create_collection(CATALOG)
        yield server
        client.drop_database(name)


@pytest.fixture
def run(
    api: ApiServer,
    kowalski: KowalskiServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Fetch from this Kowalski; gives the exit status, the JSON, and what was said."""
    as_admin(monkeypatch)
    account = {"database": {"admin_username": "a", "admin_password": "b"}, "kowalski": ACCOUNT}
    (tmp_path / "secrets.json").write_text(json.dumps(account), "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DA_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("DA_SECRETS_FILE", str(tmp_path / "secrets.json"))
    monkeypatch.setenv("DA_KOWALSKI__URL", kowalski.url)
    monkeypatch.setenv("DA_KOWALSKI__PAGE", "3")
    monkeypatch.setenv("DA_KOWALSKI__PATIENCE_S", "6")

    def run(*words: str) -> tuple[int, dict[str, Any], str]:
        code = main(["--server", api.url, "--json", "fetch", "kowalski", *words])
        said = capsys.readouterr()
        return code, json.loads(said.out), said.err

    return run


def fill(kowalski: KowalskiServer, *documents: dict[str, Any]) -> None:
    kowalski.database[CATALOG].insert_many(documents)


def submitted(record: Record, found: dict[str, Any]) -> list[str]:
    """The ids that all jobs of a fetch were given, in order."""
    return sorted(str(item.cutout) for job in found["jobs"] for item in items_of(record, job))


def test_the_real_client_is_answered_as_its_users_expect(kowalski: KowalskiServer) -> None:
    fill(kowalski, alert(1))
    host, port = kowalski.url.removeprefix("http://").split(":")
    account = {"username": ACCOUNT["user"], "password": ACCOUNT["password"]}
    with penquins.Kowalski(**account, protocol="http", host=host, port=int(port)) as client:
        assert client.ping()
        query = {"catalog": CATALOG, "filter": {"candid": candid(1)}, "projection": {"cutoutDifference": 1}}
        asked = {"query_type": "find", "query": query, "kwargs": {"limit": 1}}
        [found] = client.query(query=asked)["default"]["data"]
    assert found["cutoutDifference"]["stampData"] == alert(1)["cutoutDifference"]["stampData"]


def test_a_night_is_ingested_with_its_metadata_and_a_second_time_changes_nothing(
    run: Run, kowalski: KowalskiServer, api: ApiServer, api_record: Record
) -> None:
    tomorrow = alert(8)["candidate"] | {"jd": 2458758.5}
    fill(kowalski, *(alert(n) for n in range(7)), alert(8, candidate=tomorrow))
    kowalski.most = 2  # fewer than are asked for: a short page is not the end
    code, found, _ = run("--night", NIGHT)
    assert (code, found["candidates"], found["submitted"], found["nights"]) == (0, 7, 7, [NIGHT])
    assert submitted(api_record, found) == [streak(n) for n in range(7)]
    cutout = api.ask("GET", f"/v1/cutouts/{streak(3)}").json()
    assert (cutout["ra"], cutout["fid"], cutout["programpi"]) == (pytest.approx(10.003), 2, "Kulkarni")
    assert (cutout["field"], cutout["ccdid"], cutout["streakid"]) == (577, 1, str(candid(3)))
    code, again, _ = run("--night", NIGHT)
    assert (code, again["candidates"], again["submitted"], again["known"]) == (0, 7, 0, 7)
    assert again["jobs"] == []
    assert kowalski.classifications == {}


def test_a_cone_and_a_filter_find_what_lies_in_both(run: Run, kowalski: KowalskiServer) -> None:
    fill(kowalski, *(alert(n) for n in range(20, 30)))
    code, found, _ = run("--cone", "10.025", "-5", "7.5")  # 3.6 arcsec apart
    assert (code, found["candidates"]) == (0, 5)
    code, found, _ = run("--cone", "10.025", "-5", "7.5", "--find", f'{{"candid": {{"$gt": {candid(25)}}}}}')
    assert (code, found["candidates"]) == (0, 2)
    code, found, _ = run("--find", '{"candidate.fid": 1}')
    assert (code, found["candidates"], found["nights"]) == (0, 0, [])


def test_faults_on_the_way_cost_tries_and_no_candidate(
    run: Run, kowalski: KowalskiServer, api_record: Record
) -> None:
    def expired(handler: Any, body: bytes) -> None:
        kowalski.expire()
        handler.answer(200, body)

    fill(kowalski, *(alert(n) for n in range(40, 50)))
    kowalski.faults.extend([status(429), status(503), status(502), broken_off, cut])
    kowalski.faults.append(expired)
    code, found, _ = run("--night", NIGHT)
    assert (code, found["candidates"]) == (0, 10)
    assert submitted(api_record, found) == [streak(n) for n in range(40, 50)]
    assert kowalski.logins == 2
    assert not kowalski.faults


def test_a_server_that_is_away_too_long_is_told_and_the_same_command_goes_on_there(
    run: Run, kowalski: KowalskiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DA_KOWALSKI__PATIENCE_S", "0")
    fill(kowalski, *(alert(n) for n in range(60, 70)))
    kowalski.faults.extend([lambda handler, body: handler.answer(200, body)] * 2 + [status(500)] * 9)
    code, found, _ = run("--night", NIGHT)
    assert (code, found["kind"]) == (1, "Unavailable")
    assert "the same command goes on there" in found["error"]
    kowalski.faults.clear()
    kowalski.finds.clear()
    code, found, said = run("--night", NIGHT)
    assert (code, found["candidates"], found["submitted"]) == (0, 10, 10)
    assert "going on after 6 candidates" in said
    assert kowalski.finds[0]["query"]["filter"]["$and"][1] == {"candid": {"$gt": candid(65)}}


def test_what_can_not_be_taken_whole_is_named_and_the_rest_is_taken(
    run: Run, kowalski: KowalskiServer, api: ApiServer, api_record: Record
) -> None:
    def stamped(n: int, data: object) -> dict[str, Any]:
        return alert(n, cutoutDifference={"stampData": data})

    whole = alert(80)["cutoutDifference"]["stampData"]
    without = alert(81)
    del without["cutoutDifference"]
    fill(
        kowalski,
        alert(80),
        without,
        stamped(82, b"SIMPLE  = T"),
        stamped(83, whole[:-30]),
        stamped(84, gzip.compress(b"no image")),
        stamped(85, gzip.compress(bytes(300_000_000))),
        stamped(86, "text"),
        alert(87, candidate={"jd": alert(87)["candidate"]["jd"]}),
        alert(88, candidate=alert(88)["candidate"] | {"programpi": "A | B"}),
        alert(89),
    )
    code, found, _ = run("--night", NIGHT)
    assert (code, found["candidates"], found["submitted"], found["faults_count"]) == (3, 10, 2, 8)
    reasons = {fault["name"]: fault["reason"] for fault in found["faults"]}
    assert reasons == {
        streak(81): "no_stamp",
        streak(82): "not_gzip",
        streak(83): "truncated",
        streak(84): "not_fits",
        streak(85): "too_large",
        streak(86): "not_gzip",
        f"candid {candid(87)}": "malformed",
        f"candid {candid(88)}": "malformed",
    }
    assert submitted(api_record, found) == [streak(80), streak(89)]
    missing = api.ask("GET", f"/v1/nights/{NIGHT}").json()["missing"]
    assert {"id": streak(81), "lacks": ["cutout"]} in missing


def test_a_thousand_candidates_are_ingested_once_by_a_fetch_that_is_killed(
    run: Run, kowalski: KowalskiServer, api: ApiServer, api_record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DA_KOWALSKI__PAGE", "60")
    fill(kowalski, *(alert(n) for n in range(1000, 2000)))
    mine = '{"_id": {"$gte": 1000}}'
    command = [
        sys.executable,
        "-m",
        "cli",
        "--server",
        api.url,
        "--json",
        "fetch",
        "kowalski",
        "--find",
        mine,
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    while len(kowalski.finds) < 8 and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    code, found, said = run("--find", mine)
    assert (code, found["candidates"], found["faults_count"]) == (0, 1000, 0)
    assert "going on after" in said
    ids = [streak(n) for n in range(1000, 2000)]
    assert (
        api_record.database["cutouts"].count_documents({"_id": {"$in": ids}, "added": {"$exists": True}})
        == 1000
    )
    items = api_record.database["shards"].aggregate(
        [{"$unwind": "$items"}, {"$match": {"items.cutout": {"$in": ids}}}, {"$sortByCount": "$items.cutout"}]
    )
    assert [group["count"] for group in items] == [1] * 1000
    assert len(kowalski.finds) <= 17 + 1 + 2


def test_scores_are_written_back_only_when_asked_each_to_its_candidate(
    run: Run, kowalski: KowalskiServer, api_record: Record
) -> None:
    fill(kowalski, *(alert(n) for n in range(100, 104)))
    scores = {RB: 0.75, SL: 0.25}
    ended = threading.Event()

    def work() -> None:
        """Score each job that comes, as a worker does."""
        done: set[str] = set()
        while not ended.wait(0.05):
            for job in {d["_id"] for d in api_record.database["jobs"].find({"state": "accepted"})} - done:
                items = items_of(api_record, job)
                if items and items[0].cutout in wanted:
                    done.add(job)
                    score_job(api_record, job, scores)

    wanted = {streak(n) for n in range(100, 104)}
    worker = threading.Thread(target=work)
    worker.start()
    try:
        code, found, _ = run("--night", NIGHT, "--write-back")
    finally:
        ended.set()
        worker.join()
    assert (code, found["written_back"]) == (0, 4)
    noted = {f"deep_asteroids_{RB}": 0.75, f"deep_asteroids_{SL}": 0.25}
    assert kowalski.classifications == {str(candid(n)): noted for n in range(100, 104)}


def test_what_is_wrong_with_the_archive_or_the_wish_is_told_before_anything_is_ingested(
    run: Run, kowalski: KowalskiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(kind: str, message: str, *words: str) -> None:
        code, found, _ = run(*words)
        assert (code, found["kind"]) == (1, kind), found
        assert message in found["error"]
        assert ACCOUNT["password"] not in json.dumps(found)

    fill(kowalski, alert(120))
    refused("InvalidRequest", "expected --night, --cone or --find")
    refused("InvalidRequest", "expected a date", "--night", "20191399")
    refused("InvalidRequest", "expected 0 <= RA < 360", "--cone", "400", "0", "2")
    refused("InvalidRequest", "expected 0 <= RA < 360", "--cone", "nan", "0", "2")
    refused("InvalidRequest", "is not JSON", "--find", "{rb")
    refused("InvalidRequest", "unknown operator", "--find", '{"candid": {"$nonsense": 1}}')
    refused("NotFound", f"those that it lists: {CATALOG}", "--night", NIGHT, "--catalog", "ZTF_streaks")
    twice = b'{"status": "success", "data": [{"candid": 5}, {"candid": 5}]}'
    kowalski.faults.append(lambda handler, _: handler.answer(200, twice))
    refused("InvalidRequest", "expected rising ones", "--night", NIGHT)
    secrets_file = tmp_path / "secrets.json"
    known = json.loads(secrets_file.read_text("utf-8"))
    secrets_file.write_text(
        json.dumps(known | {"kowalski": {"user": "penguin", "password": "wrong"}}), "utf-8"
    )
    refused("NotAuthenticated", "refuses the account 'penguin'", "--night", NIGHT)
    secrets_file.write_text(json.dumps({"database": known["database"]}), "utf-8")
    refused("Misconfigured", "no account at Kowalski", "--night", NIGHT)
    secrets_file.write_text(json.dumps(known), "utf-8")
    monkeypatch.setenv("DA_KOWALSKI__URL", "http://127.0.0.1:9")
    monkeypatch.setenv("DA_KOWALSKI__PATIENCE_S", "0")
    refused("Unavailable", "does not answer as Kowalski does", "--night", NIGHT)
