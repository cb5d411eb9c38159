from pathlib import Path

import pytest

from cli.local.binaries import find_mongod, find_redis
from core.errors import Misconfigured


def put_on_path(folder: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return program


def test_a_server_on_path_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    redis = put_on_path(tmp_path, "redis-server", "echo 'Redis server v=7.0.15 sha=0'", monkeypatch)
    mongod = put_on_path(tmp_path, "mongod", "echo 'db version v7.0.1'", monkeypatch)
    assert (find_redis().path, find_redis().version, find_redis().bundled) == (redis, (7, 0, 15), False)
    assert (find_mongod().path, find_mongod().version) == (mongod, (7, 0, 1))


def test_a_server_on_path_that_is_too_old_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_on_path(tmp_path, "redis-server", "echo 'Redis server v=6.0.16 sha=0'", monkeypatch)
    put_on_path(tmp_path, "mongod", "echo 'db version v4.4.0'", monkeypatch)
    assert find_redis().bundled
    assert find_mongod().bundled


def test_a_missing_library_is_named_with_its_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    complaint = "libcurl.so.4: cannot open shared object file"
    put_on_path(tmp_path, "mongod", f"echo 'mongod: {complaint}' >&2; exit 127", monkeypatch)
    with pytest.raises(Misconfigured, match=r"libcurl\.so\.4.*apt-get install libcurl4"):
        find_mongod()
