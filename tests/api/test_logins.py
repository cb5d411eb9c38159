"""Hashing a password is slow on purpose; nobody but who logs in waits for it."""

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

from api.logins import AT_ONCE, WAITING
from api.main import create_app
from api.services import Services
from cli.local.ports import free_port
from core.settings import Settings

LOGINS = 60  # more than the threads that routes share


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
def settings(mongo_url: str, redis_url: str, mongo_database: str, tmp_path: Path) -> Settings:
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

    with serving(settings) as (url, services), ThreadPoolExecutor(LOGINS) as callers:
        token = services.record.accounts.log_in("admin", "a password", days=1)
        monkeypatch.setattr("storage.accounts.password_matches", slow)

        def log_in(_: int) -> requests.Response:
            login = {"username": "admin", "password": "a password"}
            return requests.post(f"{url}/auth", json=login, timeout=60)

        logins = [callers.submit(log_in, n) for n in range(LOGINS)]
        try:
            refused_at_most = LOGINS - AT_ONCE - WAITING
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
        assert statuses.count(200) == AT_ONCE + WAITING
