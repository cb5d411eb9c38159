"""The metrics of a process without a server of its own: to whom they are told, and how it is."""

import json
import socket
from pathlib import Path

import pytest
import requests

from cli.local.ports import free_port
from core.errors import Misconfigured
from core.metrics_server import Told, serve_metrics
from core.probe import probe
from core.settings import Settings


def settings(tmp_path: Path, port: int, **secrets: str) -> Settings:
    file = tmp_path / "secrets.json"
    account = {"admin_username": "admin", "admin_password": "secret"}
    file.write_text(json.dumps({"database": account, **secrets}))
    return Settings(metrics_port=port, secrets_file=file)


def test_metrics_are_told_to_who_has_the_token_and_health_to_anyone(tmp_path: Path) -> None:
    port, faults = free_port(), ["the engine failed"]
    told = Told(lambda: b"streaks_ready 1\n", lambda: faults[0])
    serve_metrics(settings(tmp_path, port, metrics_token="t0ken"), told)
    url = f"http://127.0.0.1:{port}"
    assert requests.get(f"{url}/metrics", timeout=5).status_code == 401
    for wrong in ("Bearer", "Bearer t0ke", "Bearer t0kenn", "t\u00f6ken"):
        header = {"Authorization": wrong.encode("latin-1")}
        assert requests.get(f"{url}/metrics", headers=header, timeout=5).status_code == 401
    answer = requests.get(f"{url}/metrics", headers={"Authorization": "Bearer t0ken"}, timeout=5)
    assert (answer.status_code, answer.text) == (200, "streaks_ready 1\n")
    assert requests.get(f"{url}/other", timeout=5).status_code == 404
    assert probe(f"{url}/healthz") == "503: the engine failed"
    faults[0] = ""
    assert probe(f"{url}/healthz") is None


def test_without_a_token_nobody_reads_them(tmp_path: Path) -> None:
    port = free_port()
    serve_metrics(settings(tmp_path, port), Told(lambda: b"x"))
    for header in ({}, {"Authorization": "Bearer "}, {"Authorization": ""}):
        answer = requests.get(f"http://127.0.0.1:{port}/metrics", headers=header, timeout=5)
        assert answer.status_code == 401


def test_an_invited_host_has_no_secrets_and_tells_its_health(tmp_path: Path) -> None:
    port = free_port()
    guest = Settings(metrics_port=port, secrets_file=tmp_path / "none.json", guest="h1")
    serve_metrics(guest, Told(lambda: b"x"))
    assert probe(f"http://127.0.0.1:{port}/healthz") is None
    assert probe(f"http://127.0.0.1:{port}/metrics") is not None


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            Misconfigured, match=rf"nothing can listen at 127.0.0.1:{port}: Address already in use"
        ):
            serve_metrics(settings(tmp_path, port), Told(lambda: b""))


def test_a_probe_says_what_is_wrong() -> None:
    assert "refused" in str(probe(f"http://127.0.0.1:{free_port()}/healthz"))
