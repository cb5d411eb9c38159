"""What is said of servers that somebody else runs."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from cli.local.binaries import find_mongod
from cli.local.ports import free_port
from cli.local.secrets import ensure_secrets
from cli.local.servers import embedded_redis
from cli.local.suitability import Finding, examine_mongo, examine_redis
from core.errors import Misconfigured
from storage.database import check, connect

PASSWORD = "sesame/open"  # its slash ends the host, so that the rest is taken for a port


def only(findings: list[Finding]) -> Finding:
    (finding,) = findings
    return finding


@pytest.mark.parametrize(
    "url", [f"redis://me:{PASSWORD}@there:6379/0", f"//{PASSWORD}", "redis://h/?x=sesame"]
)
def test_a_malformed_redis_url_is_named_and_not_quoted(url: str) -> None:
    finding = only(examine_redis(url))
    assert finding.fatal
    assert "DA_REDIS_URL" in finding.found
    assert "sesame" not in str(finding)


@pytest.mark.parametrize(
    "url", [f"mongodb://me:{PASSWORD}@there/", f"mongo://{PASSWORD}", "mongodb://sesame@o@h"]
)
def test_a_malformed_mongo_url_is_named_and_not_quoted(url: str) -> None:
    finding = only(examine_mongo(url, "database"))
    assert finding.fatal
    assert "DA_MONGO_URL" in finding.found
    assert "sesame" not in str(finding)


def test_a_wrong_password_is_told_as_such(mongo_url: str, redis_url: str) -> None:
    mongo, queue = urlsplit(mongo_url), urlsplit(redis_url)
    host = mongo.netloc.rpartition("@")[2]
    finding = only(examine_mongo(mongo._replace(netloc=f"admin:sesame@{host}").geturl(), "database"))
    assert (finding.found, finding.fatal) == ("refuses the name or the password (18)", True)
    assert "DA_MONGO_URL" in finding.cure
    host = queue.netloc.rpartition("@")[2]
    finding = only(examine_redis(queue._replace(netloc=f":sesame@{host}").geturl()))
    assert finding.found.startswith("refuses the password")
    assert finding.fatal
    assert "sesame" not in str(finding)


def test_a_redis_without_persistence_is_told_with_what_to_set(tmp_path: Path) -> None:
    server = embedded_redis(tmp_path, ensure_secrets(tmp_path))
    try:
        url = server.start()
        with redis.Redis.from_url(url) as client:
            client.config_set("appendonly", "no")
            client.config_set("maxmemory-policy", "allkeys-lru")
        cures = {finding.what: finding.cure for finding in examine_redis(url) if not finding.well}
    finally:
        server.kill()
    assert cures["redis append-only file"] == "set appendonly yes in redis.conf"
    assert cures["redis maxmemory-policy"] == "set maxmemory-policy noeviction"


@pytest.fixture
def standalone(tmp_path: Path) -> Iterator[str]:
    """A mongod that is no replica set."""
    port = free_port()
    place = ["--dbpath", str(tmp_path), "--port", str(port), "--bind_ip", "127.0.0.1", "--quiet"]
    with subprocess.Popen([find_mongod().path, *place], stdout=subprocess.DEVNULL) as process:
        url = f"mongodb://127.0.0.1:{port}/"
        try:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                try:
                    with MongoClient[dict[str, object]](url, serverSelectionTimeoutMS=200) as client:
                        client.admin.command("ping")
                    break
                except PyMongoError:
                    continue
            yield url
        finally:
            process.kill()


def test_a_mongod_that_is_no_replica_set_is_refused_by_all(standalone: str) -> None:
    faults = {finding.what: finding for finding in examine_mongo(standalone, "d") if not finding.well}
    assert faults["mongo replica set"].fatal
    assert "--replSet" in faults["mongo replica set"].cure
    database = connect(standalone, "d")
    with database.client, pytest.raises(Misconfigured, match="standalone server; expected a replica set"):
        check(database)
