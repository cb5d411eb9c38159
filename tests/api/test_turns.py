"""Slow work waits in its own queue, and nobody else waits for it."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
import uvicorn
from pydantic import SecretStr

from api.main import create_app
from api.services import PASSWORDS_AT_ONCE, PASSWORDS_WAITING, SCANS_AT_ONCE, SCANS_WAITING, Services
from cli.local.ports import free_port
from core.errors import Unavailable
from core.settings import Settings

CALLERS = 60  # more than the threads that routes share


@contextmanager
def serving(settings: Settings) -> Iterator[tuple[str, Services]]:
    """The API in this process, so that a test can hold the clock of its passwords."""
    app = create_app(settings)
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, ws="none", log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}", app.state.services
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def settings(
    mongo_url: str, redis_url: str, mongo_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    monkeypatch.setenv("DA_REDIS_URL", redis_url)  # Celery reads it once, when the app is first used
    secrets = tmp_path / "secrets.json"
    account = {"admin_username": "admin", "admin_password": "a password"}
    secrets.write_text(json.dumps({"database": account}), "utf-8")
    return Settings(
        mongo_url=SecretStr(mongo_url),
        redis_url=SecretStr(redis_url),
        mongo_database=mongo_database,
        state_dir=tmp_path / "state",
        secrets_file=secrets,
    )


def test_many_logins_hold_up_nobody_else_and_too_many_are_told_to_come_back(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()

    def slow(_password: str, _hashed: str | None) -> bool:
        return release.wait(100)

    with serving(settings) as (url, services), ThreadPoolExecutor(CALLERS) as callers:
        token = services.record.accounts.log_in("admin", "a password", days=1)
        monkeypatch.setattr("storage.accounts.password_matches", slow)

        def log_in(_: int) -> requests.Response:
            login = {"username": "admin", "password": "a password"}
            return requests.post(f"{url}/auth", json=login, timeout=60)

        logins = [callers.submit(log_in, n) for n in range(CALLERS)]
        try:
            refused_at_most = CALLERS - PASSWORDS_AT_ONCE - PASSWORDS_WAITING
            deadline = time.monotonic() + 30
            while sum(login.done() for login in logins) < refused_at_most and time.monotonic() < deadline:
                time.sleep(0.02)
            refused = [login.result() for login in logins if login.done()]
            assert len(refused) == refused_at_most
            assert {answer.status_code for answer in refused} == {503}
            assert all(int(answer.headers["Retry-After"]) > 0 for answer in refused)
            assert requests.get(f"{url}/healthz", timeout=20).status_code == 200
            headers = {"Authorization": f"Bearer {token}"}
            assert requests.get(f"{url}/v1/jobs", headers=headers, timeout=20).status_code == 200
            assert sum(login.done() for login in logins) == refused_at_most  # the others still wait
        finally:
            release.set()
        statuses = [login.result().status_code for login in logins]
        assert statuses.count(200) == PASSWORDS_AT_ONCE + PASSWORDS_WAITING


def test_routes_that_hang_hold_up_neither_the_gate_nor_the_probe(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, hanging = threading.Event(), threading.Semaphore(0)

    def hang(*_: object) -> None:
        hanging.release()
        release.wait(100)

    with serving(settings) as (url, services), ThreadPoolExecutor(CALLERS) as callers:
        headers = {
            "Authorization": f"Bearer {services.record.accounts.log_in('admin', 'a password', days=1)}"
        }
        monkeypatch.setattr(services.record.models, "all", hang)

        def ask(path: str) -> requests.Response:
            return requests.get(url + path, headers=headers, timeout=60)

        asked = [callers.submit(ask, "/v1/models/any") for _ in range(CALLERS)]
        try:
            for _ in range(40):  # the threads that routes share
                assert hanging.acquire(timeout=30)
            assert requests.get(f"{url}/readyz", timeout=20).json()["checks"]["mongo"] == "ok"
            assert requests.get(f"{url}/v1/jobs", timeout=20).status_code == 401
            assert ask("/v1/cutouts/changes?before=rb@1&after=none@1").status_code == 404  # a turn at a scan
            assert not any(answer.done() for answer in asked)
        finally:
            release.set()


@pytest.mark.parametrize(
    "path", ["/v1/cutouts/changes?before=rb@1&after=rb@2", "/v1/cutouts/export", "/v1/jobs/rescore"]
)
def test_many_scans_hold_up_nobody_else_and_too_many_are_told_to_come_back(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    release = threading.Event()

    def slow(*_: object, **__: object) -> None:
        release.wait(100)
        raise Unavailable("enough")

    for scan in ("cutout_changes", "score_changes"):
        monkeypatch.setattr(f"api.routes.score_changes.{scan}", slow)
    monkeypatch.setattr("api.routes.exports.asked", slow)
    monkeypatch.setattr("tasks.submit_rescore.how_many", slow)
    method, body = ("POST", {"dry_run": True}) if path.endswith("rescore") else ("GET", None)
    n = SCANS_AT_ONCE + SCANS_WAITING + 5
    with serving(settings) as (url, services), ThreadPoolExecutor(n) as callers:
        headers = {
            "Authorization": f"Bearer {services.record.accounts.log_in('admin', 'a password', days=1)}"
        }

        def ask(_: int) -> requests.Response:
            return requests.request(method, url + path, json=body, headers=headers, timeout=60)

        answers = [callers.submit(ask, i) for i in range(n)]
        try:
            deadline = time.monotonic() + 30
            while sum(answer.done() for answer in answers) < 5 and time.monotonic() < deadline:
                time.sleep(0.02)
            refused = [answer.result() for answer in answers if answer.done()]
            assert len(refused) == 5
            assert {answer.status_code for answer in refused} == {503}
            assert all("too many read" in answer.json()["detail"] for answer in refused)
            assert all(int(answer.headers["Retry-After"]) > 0 for answer in refused)
        finally:
            release.set()
        assert sum("enough" in answer.result().json()["detail"] for answer in answers) == n - 5
