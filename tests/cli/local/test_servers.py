"""One start of each embedded server serves most of these tests."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import redis
from pymongo import MongoClient, WriteConcern
from pymongo.errors import OperationFailure
from redis.backoff import NoBackoff
from redis.retry import Retry

from cli.local.mongo_server import EmbeddedMongo
from cli.local.secrets import ensure_secrets
from cli.local.servers import ServerUrls, embedded_mongo, local_servers
from core.errors import Conflict, Unavailable


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerUrls]:
    with local_servers(tmp_path_factory.mktemp("state with blanks") / "state") as urls:
        yield urls


def mongo(url: str) -> MongoClient[dict[str, Any]]:
    return MongoClient(url, serverSelectionTimeoutMS=5000)


def test_mongo_refuses_work_without_the_password(servers: ServerUrls) -> None:
    with mongo(f"mongodb://127.0.0.1:{servers.mongo.port}/?directConnection=true") as client:
        with pytest.raises(OperationFailure, match="requires authentication"):
            client.admin.command("listDatabases")
        with pytest.raises(OperationFailure, match="requires authentication"):
            client.admin.command("createUser", "intruder", pwd="x", roles=["root"])


def test_redis_refuses_work_without_the_password(servers: ServerUrls) -> None:
    with (
        redis.Redis(host="127.0.0.1", port=servers.redis.port, retry=Retry(NoBackoff(), 0)) as client,
        pytest.raises(redis.exceptions.AuthenticationError),
    ):
        client.ping()


def test_both_listen_on_loopback_only(servers: ServerUrls) -> None:
    ports = {f"{port:04X}" for port in (servers.mongo.port, servers.redis.port)}
    listening = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            address, port = line.split()[1].split(":")
            if port in ports and line.split()[3] == "0A":
                listening.add(address)
    assert listening == {"0100007F"}


def test_no_secret_is_in_an_argument(servers: ServerUrls) -> None:
    secrets = ensure_secrets(servers.state_dir)
    assert secrets.redis_password is not None
    words = (secrets.redis_password.get_secret_value(), secrets.database.admin_password.get_secret_value())
    for server in (servers.mongo, servers.redis):
        assert server.process is not None
        command = Path(f"/proc/{server.process.pid}/cmdline").read_bytes().decode()
        assert not any(word in command for word in words)


def test_everything_in_the_state_folder_is_private(servers: ServerUrls) -> None:
    state = servers.state_dir
    folders = [state, state / "mongo", state / "mongo" / "data", state / "redis", state / "redis" / "data"]
    assert {folder.stat().st_mode & 0o777 for folder in [*folders, state / "logs"]} == {0o700}
    files = [state / "secrets.json", state / "mongo" / "keyfile", state / "redis" / "redis.conf"]
    assert {file.stat().st_mode & 0o777 for file in [*files, state / "logs" / "mongo.log"]} == {0o600}


def test_redis_never_evicts_and_appends_to_a_file(servers: ServerUrls) -> None:
    with redis.Redis.from_url(servers.redis_url) as client:
        settings: Any = client.config_get("maxmemory-policy", "appendonly", "appendfsync")
    assert settings == {"maxmemory-policy": "noeviction", "appendonly": "yes", "appendfsync": "everysec"}


def test_mongo_is_a_replica_set_with_transactions_and_without_compression(servers: ServerUrls) -> None:
    with mongo(servers.mongo_url) as client:
        with client.start_session() as session, session.start_transaction():
            client.test.transactions.insert_one({"_id": 1}, session=session)
        options = client.admin.command("getCmdLineOpts")["parsed"]
        assert options["net"]["compression"]["compressors"] == "disabled"


def test_a_second_user_of_the_same_folder_is_refused(servers: ServerUrls) -> None:
    other = embedded_mongo(servers.state_dir, ensure_secrets(servers.state_dir))
    with pytest.raises(Conflict, match="another process runs mongo"):
        other.start()


def test_what_was_acknowledged_survives_a_kill_and_the_url_stays(servers: ServerUrls) -> None:
    before = (servers.mongo.url, servers.redis.url)
    with mongo(servers.mongo_url) as client, redis.Redis.from_url(servers.redis_url) as queue:
        journaled = WriteConcern(w="majority", j=True)
        kept = client.test.get_collection("kept", write_concern=journaled)
        kept.insert_many([{"_id": n} for n in range(500)])
        queue.rpush("kept", "a", "b")
        servers.mongo.kill()
        servers.redis.kill()
        assert (servers.mongo.start(), servers.redis.start()) == before
        assert kept.count_documents({}) == 500
        assert queue.lrange("kept", 0, -1) == [b"a", b"b"]


def test_a_password_that_was_changed_is_taken_over(servers: ServerUrls) -> None:
    servers.mongo.stop()
    changed = EmbeddedMongo(servers.state_dir, "somebody/else", "p@ss:w/rd?")
    url = changed.start()
    with mongo(url) as client:
        assert client.admin.command("ping")
    changed.stop()
    servers.mongo.start()


def test_a_port_that_was_taken_meanwhile_is_sidestepped_and_the_data_stay(tmp_path: Path) -> None:
    server = embedded_mongo(tmp_path, ensure_secrets(tmp_path))
    with mongo(server.start()) as client:
        client.test.kept.insert_one({"_id": 1})
    server.kill()
    old = server.port
    with socket.socket() as intruder:
        intruder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        intruder.bind(("127.0.0.1", old))
        intruder.listen()
        intruder.settimeout(30)
        # mongod asks its old address whether that is itself; a silent answer would take it half a minute.
        thread = threading.Thread(target=_hang_up_on_callers, args=(intruder,), daemon=True)
        thread.start()
        try:
            with mongo(server.start()) as client:
                assert server.port != old
                assert client.test.kept.count_documents({}) == 1
        finally:
            server.kill()
            intruder.shutdown(socket.SHUT_RDWR)
            thread.join()


def _hang_up_on_callers(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        connection.close()


@pytest.mark.parametrize("delay_s", [0.4, 0.65])
def test_a_first_start_that_is_killed_is_completed_by_the_next(tmp_path: Path, delay_s: float) -> None:
    server = embedded_mongo(tmp_path, ensure_secrets(tmp_path))
    with suppress(Unavailable):
        server.start(timeout_s=delay_s)  # gives up, and kills mongod, wherever it is
    server.kill()  # a quick machine may have started it by then
    with mongo(server.start()) as client:
        client.test.kept.insert_one({"_id": 1})
    server.kill()


def test_a_server_that_can_not_start_says_why(tmp_path: Path) -> None:
    server = embedded_mongo(tmp_path, ensure_secrets(tmp_path))
    (tmp_path / "mongo").mkdir(mode=0o700)
    (tmp_path / "mongo" / "keyfile").write_text("short")
    (tmp_path / "mongo" / "keyfile").chmod(0o600)
    with pytest.raises(Unavailable, match="security key"):
        server.start()
