"""The app as it runs in production: a uvicorn process of its own, on settings from the environment."""

import json
import os
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
import requests

from cli.local.ports import free_port
from cli.local.programs import api_command

ROOT = Path(__file__).parents[2]
ADMIN = ("admin", "admin-password-of-a-test")


def as_admin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command line ask as the administrator."""
    monkeypatch.setenv("DA_USER", ADMIN[0])
    monkeypatch.setenv("DA_PASSWORD", ADMIN[1])


class ApiServer:
    """Starts on entering, ends on leaving; logs in as the administrator.

    Parameters
    ----------
    folder : its working directory, state and log.
    env : more settings, such as DA_LIMITS__UPLOAD_BYTES.
    """

    def __init__(self, folder: Path, *, mongo_url: str, redis_url: str, database: str, **env: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "api.log"
        self._folder = folder
        self._tokens: dict[str, str] = {}
        secrets = folder / "secrets.json"
        account = {"admin_username": ADMIN[0], "admin_password": ADMIN[1]}
        secrets.write_text(json.dumps({"database": account}), "utf-8")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("DA_")}
        self.env = inherited | {
            "PYTHONPATH": str(ROOT),
            "DA_STATE_DIR": str(folder / "state"),
            "DA_SECRETS_FILE": str(secrets),
            "DA_MONGO_URL": mongo_url,
            "DA_MONGO_DATABASE": database,
            "DA_REDIS_URL": redis_url,
            **env,
        }

    def __enter__(self) -> Self:
        self.process = self.launch()
        deadline = time.monotonic() + 60
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(self.log.read_text("utf-8"))
            time.sleep(0.05)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the process, its output in the log."""
        command = api_command("127.0.0.1", self.port)
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command, cwd=self._folder, env=self.env, stdout=log, stderr=subprocess.STDOUT
            )

    def stop(self) -> None:
        """End it in good order."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def token(self) -> str:
        """A token of the administrator, new for each file of tests: an account keeps its newest logins."""
        file = os.environ.get("PYTEST_CURRENT_TEST", "").partition("::")[0]
        if file not in self._tokens:
            self._tokens[file] = self.log_in(*ADMIN)
        return self._tokens[file]

    def log_in(self, user: str, password: str) -> str:
        """A new token."""
        answer = requests.post(f"{self.url}/auth", json={"username": user, "password": password}, timeout=30)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def ask(self, method: str, path: str, *, token: str | None = None, **kwargs: Any) -> requests.Response:
        """One request with a token, the administrator's by default."""
        headers = {"Authorization": f"Bearer {token or self.token}", **kwargs.pop("headers", {})}
        return requests.request(method, self.url + path, headers=headers, timeout=60, **kwargs)

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/healthz", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False
