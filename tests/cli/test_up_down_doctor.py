"""The verbs that run the service, each in a process of its own as a user would run it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from cli.local.record import RecordFile
from storage.schema import SCHEMA
from tests.cli.local.running import naming

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def environment(tmp_path: Path, mongo_url: str, redis_url: str, mongo_database: str) -> dict[str, str]:
    given = {
        "DA_STATE_DIR": str(tmp_path / "state"),
        "DA_MONGO_URL": mongo_url,
        "DA_REDIS_URL": redis_url,
        "DA_MONGO_DATABASE": mongo_database,
        "DA_PORT": "0",
        "DA_FLOWER_PORT": "0",
    }
    return {**os.environ, **given}


def streaks(environment: dict[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "cli", "--json", *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def answer(ran: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    (line,) = ran.stdout.splitlines()
    value: dict[str, Any] = json.loads(line)
    return value


def test_a_second_up_finds_the_first_and_down_stops_it(environment: dict[str, str]) -> None:
    state = Path(environment["DA_STATE_DIR"])
    command = [sys.executable, "-m", "tests.cli.local.stand_ins", "--json"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as first:
        try:
            assert first.stdout is not None
            told = json.loads(first.stdout.readline())
            second = streaks(environment, "up")
            assert second.returncode == 0
            assert answer(second) == {**told, "already": True}
            assert f"already running at {told['url']} (pid {first.pid})" in second.stderr
            assert answer(streaks(environment, "up", "--detach"))["pid"] == first.pid

            found = {
                finding["what"]: finding for finding in answer(streaks(environment, "doctor"))["findings"]
            }
            assert found["service"]["found"] == f"ready at {told['url']} (pid {first.pid})"
            assert found["sleeper"]["ok"]
            assert not found["api"]["ok"]  # there is none among the stand-ins

            down = streaks(environment, "down")
            assert (down.returncode, answer(down)) == (0, {"stopped": True})
            assert RecordFile(state).running() is None
            assert naming(state) == []
            assert first.wait(10) == 0
        finally:
            first.kill()


def test_down_is_harmless_when_nothing_runs(environment: dict[str, str]) -> None:
    down = streaks(environment, "down")
    assert (down.returncode, answer(down)) == (0, {"stopped": False})


def test_up_detached_that_fails_says_why_and_leaves_nothing(environment: dict[str, str]) -> None:
    ran = streaks({**environment, "DA_REDIS_URL": "redis://127.0.0.1:9/0"}, "up", "--detach")
    assert ran.returncode == 1
    assert "DA_REDIS_URL" in answer(ran)["error"]
    assert naming(environment["DA_STATE_DIR"]) == []


def test_up_refuses_a_database_of_another_release_before_it_starts_anything(
    environment: dict[str, str],
) -> None:
    with MongoClient[dict[str, Any]](environment["DA_MONGO_URL"]) as client:
        service = client[environment["DA_MONGO_DATABASE"]]["service"]
        service.insert_one({"_id": "schema", "version": 99})
        newer = streaks(environment, "up")
        migrate = streaks(environment, "migrate", "--dry-run")
        service.update_one({"_id": "schema"}, {"$set": {"version": 0}})
        older = streaks(environment, "up")
    for ran in (newer, migrate, older):
        assert ran.returncode == 1
        assert "Traceback" not in ran.stderr
    assert "has schema 99" in answer(newer)["error"]
    assert "has schema 99" in answer(migrate)["error"]
    assert "./streaks migrate" in answer(older)["error"]
    assert naming(environment["DA_STATE_DIR"]) == []
    assert answer(streaks(environment, "migrate"))["schema"] == SCHEMA


def test_doctor_finds_suitable_servers_and_exits_by_what_it_finds(environment: dict[str, str]) -> None:
    ran = streaks(environment, "doctor")
    told = answer(ran)
    found = {finding["what"]: finding for finding in told["findings"]}
    assert ran.returncode == (0 if told["ok"] else 1)
    assert found["redis maxmemory-policy"]["found"] == "noeviction"
    assert found["redis append-only file"]["ok"]
    assert found["mongo replica set"]["ok"]
    assert found["mongo writes"]["ok"]
    assert found["service"]["ok"]


def test_doctor_names_what_is_wrong_with_its_cure(environment: dict[str, str], tmp_path: Path) -> None:
    secrets = tmp_path / "secrets.json"
    secrets.write_text('{"database": {"admin_username": "me", "admin_password": "mine"}}')
    secrets.chmod(0o644)
    broken = {
        "DA_SECRETS_FILE": str(secrets),
        "DA_REDIS_URL": "redis://127.0.0.1:9/0",
        "DA_MONGO_URL": "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=100",
    }
    ran = streaks({**environment, **broken}, "doctor")
    assert ran.returncode == 1
    cures = {finding["what"]: finding["cure"] for finding in answer(ran)["findings"] if not finding["ok"]}
    assert cures["secrets"] == f"chmod 600 '{secrets}'"
    assert "DA_REDIS_URL" in cures["redis"]
    assert "DA_MONGO_URL" in cures["mongo"]


def test_doctor_says_which_setting_is_wrong(environment: dict[str, str]) -> None:
    ran = streaks({**environment, "DA_PORT": "many"}, "doctor")
    settings = next(finding for finding in answer(ran)["findings"] if finding["what"] == "settings")
    assert "port" in settings["found"]
    assert ran.returncode == 1


@pytest.mark.parametrize("verb", ["up", "down", "jobs list", "demo --once", "up --detach"])
@pytest.mark.parametrize("below", ["", "below"])
def test_a_state_folder_that_can_not_be_is_told_in_one_sentence(
    environment: dict[str, str], tmp_path: Path, verb: str, below: str
) -> None:
    (tmp_path / "file").write_text("somebody's")
    ran = streaks({**environment, "DA_STATE_DIR": str(tmp_path / "file" / below)}, *verb.split())
    assert ran.returncode == 1
    assert "DA_STATE_DIR" in answer(ran)["error"]
    assert len(ran.stderr.splitlines()) == 1, ran.stderr
    assert (tmp_path / "file").read_text() == "somebody's"


def test_doctor_finds_a_state_folder_that_can_not_be(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = streaks({**environment, "DA_STATE_DIR": str(tmp_path / "file")}, "doctor")
    (found,) = (f for f in answer(ran)["findings"] if f["what"] == "state folder")
    assert not found["ok"]
    assert "DA_STATE_DIR" in found["found"]


@pytest.mark.parametrize("host", ["no-such-host.invalid", "203.0.113.7", "a" * 70])
def test_a_host_that_is_not_here_is_told_in_one_sentence(environment: dict[str, str], host: str) -> None:
    ran = streaks({**environment, "DA_HOST": host}, "up")
    assert ran.returncode == 1
    assert "DA_HOST" in answer(ran)["error"]
    assert "Traceback" not in ran.stderr
    assert naming(environment["DA_STATE_DIR"]) == []
