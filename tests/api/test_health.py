"""Health, readiness, and starts that fail."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
from pymongo import MongoClient

from cli.local.ports import free_port
from storage.record import Record
from storage.workers import WorkerInfo
from tests.api.server import ROOT, ApiServer


def test_ready_means_both_servers_and_a_worker(api: ApiServer, api_record: Record) -> None:
    before = requests.get(f"{api.url}/readyz", timeout=30)
    assert before.status_code == 503
    assert before.json() == {"ready": False, "checks": {"mongo": "ok", "redis": "ok", "workers": 0}}
    api_record.workers.report(WorkerInfo("w", "test", "cpu", ("rb@901",), 0, 1), token="t")
    after = requests.get(f"{api.url}/readyz", timeout=30)
    listed = api.ask("GET", "/v1/workers").json()["workers"]
    api_record.workers.leave("w", token="t")
    assert after.status_code == 200
    assert after.json()["ready"] is True
    assert [worker["name"] for worker in listed] == ["w"]


def test_a_start_on_wrong_settings_ends_with_a_clear_line(redis_url: str, tmp_path: Path) -> None:
    wrong = {"DA_LIMITS__UPLOAD_BYTES": "many"}
    server = ApiServer(tmp_path, mongo_url="mongodb://x", redis_url=redis_url, database="none", **wrong)
    assert server.launch().wait(60) != 0
    said = server.log.read_text("utf-8")
    assert "limits.upload_bytes: Input should be a valid integer" in said
    assert "Traceback" not in said


def test_a_start_without_mongodb_ends_with_a_clear_line(redis_url: str, tmp_path: Path) -> None:
    nobody = f"mongodb://127.0.0.1:{free_port()}/?directConnection=true"
    server = ApiServer(tmp_path, mongo_url=nobody, redis_url=redis_url, database="none")
    assert server.launch().wait(60) != 0
    said = server.log.read_text("utf-8")
    assert "deep-asteroids can't start: MongoDB does not answer" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("DA_MONGO_URL", "MongoDB refuses the name or the password of the account admin; set that"),
        ("DA_REDIS_URL", "Redis refuses the password; set that server's in DA_REDIS_URL"),
        ("DA_SECRETS_FILE", "no secrets file at /nowhere.json; expected JSON of the shape"),
    ],
)
def test_a_start_with_a_wrong_password_or_without_secrets_ends_with_a_clear_line(
    mongo_url: str, redis_url: str, mongo_database: str, tmp_path: Path, wrong: str, told: str
) -> None:
    server = ApiServer(tmp_path, mongo_url=mongo_url, redis_url=redis_url, database=mongo_database)
    password = re.compile(r":[^:/@]*@")
    server.env[wrong] = password.sub(":sesame@", server.env[wrong]) if "URL" in wrong else "/nowhere.json"
    assert server.launch().wait(60) != 0
    said = server.log.read_text("utf-8")
    assert told in said
    assert "sesame" not in said
    assert "Traceback" not in said


def test_services_refuse_a_database_of_another_release(
    mongo_url: str, redis_url: str, mongo_database: str, tmp_path: Path
) -> None:
    with MongoClient[dict[str, Any]](mongo_url) as client:
        client[mongo_database]["service"].insert_one({"_id": "schema", "version": 99})
        server = ApiServer(tmp_path, mongo_url=mongo_url, redis_url=redis_url, database=mongo_database)
        assert server.launch().wait(60) != 0
        said = server.log.read_text("utf-8")
        assert "deep-asteroids can't start: the database" in said
        assert "has schema 99, and this release knows" in said
        assert "Traceback" not in said
        assert client[mongo_database].list_collection_names() == ["service"]
    command = [sys.executable, "-m", "tasks.sweeper"]
    sweeper = subprocess.run(
        command, cwd=ROOT, env=server.env, capture_output=True, text=True, timeout=60, check=False
    )
    assert sweeper.returncode == 1
    assert "has schema 99" in sweeper.stderr
    assert "Traceback" not in sweeper.stderr


def test_metrics_are_for_users_and_count_made_up_paths_and_methods_under_none(api: ApiServer) -> None:
    assert requests.get(f"{api.url}/metrics", timeout=30).status_code == 401
    assert requests.request("PROPFIND", f"{api.url}/v1/jobs", timeout=30).status_code in (401, 405)
    assert api.ask("GET", "/v1/made-up-4711").status_code == 404
    told = api.ask("GET", "/metrics")
    assert told.status_code == 200
    assert 'streaks_http_answers_total{method="GET",route="none",status="404"}' in told.text
    assert "PROPFIND" not in told.text
    assert "made-up" not in told.text
    assert "process_resident_memory_bytes" in told.text
