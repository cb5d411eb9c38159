"""Joining by an invitation: what is wrong with it is said; what it gives is no more than a worker needs."""

import json
import os
import signal
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from kombu import Connection
from kombu.exceptions import OperationalError
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError
from redis import Redis
from redis.exceptions import NoPermissionError, RedisError

from cli.hosts.invitation import Invitation
from cli.hosts.joining import join
from cli.local.authority import Authority
from cli.local.ports import free_port
from core.errors import Misconfigured, NotFound, NotInvited, Unavailable
from core.settings import Settings, load_settings
from storage.blobs import BlobStore
from storage.database import SHARED
from storage.record import open_record
from tests.cli.hosts.conftest import OpenService, changed
from tests.cli.local.running import wait_until


@pytest.fixture(scope="session")
def guest(opened: OpenService, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings of a host that has joined."""
    return opened.guest(tmp_path_factory.mktemp("guest"))


@pytest.fixture
def settings(guest: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of that host's worker."""
    for name, value in guest.items():
        monkeypatch.setenv(name, value)
    return load_settings()


def test_an_invitation_is_private_and_so_are_the_certificates_of_who_joins(
    opened: OpenService, tmp_path: Path
) -> None:
    file = opened.invite(tmp_path)
    found = join(file, tmp_path / "host")
    kept = [file, *Path(found["DA_TLS_AUTHORITY"]).parent.iterdir(), *(tmp_path / "host").rglob("*.pem")]
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}
    assert "password" not in repr(Invitation.read(file)).lower()
    assert Invitation.read(file).blob_token not in repr(Invitation.read(file))


def test_a_guest_reads_and_writes_what_workers_do_and_blobs_by_the_api(settings: Settings) -> None:
    record = open_record(settings)
    mark = record.check_blobs()
    assert len(record.blobs.get(mark)) == 32
    big = os.urandom(3 * 2**20)
    sha256 = record.blobs.put(big)
    assert record.blobs.get(sha256) == big
    for start, end in ((0, 10), (5000, 2_000_000), (len(big) - 3, len(big) + 9), (len(big), len(big) + 1)):
        assert record.blobs.get_range(sha256, start, end) == big[start:end]
    with pytest.raises(NotFound):
        record.blobs.get_range("0" * 64, 0, 10)
    for name in SHARED:
        collection = record.database[name]
        collection.update_one({"_id": "a guest's"}, {"$set": {"a": 1}}, upsert=True)
        assert collection.find_one({"_id": "a guest's"}) == {"_id": "a guest's", "a": 1}
        collection.delete_one({"_id": "a guest's"})
    record.close()


def test_a_guest_may_not_see_accounts_nor_touch_other_databases(settings: Settings) -> None:
    with MongoClient[dict[str, object]](settings.required_mongo_url()) as client:
        for collection in (client["deep_asteroids"]["tokens"], client["admin"]["x"], client["other"]["x"]):
            with pytest.raises(OperationFailure, match="not authorized"):
                collection.find_one()
            with pytest.raises(OperationFailure, match="not authorized"):
                collection.insert_one({})
        with pytest.raises(OperationFailure, match="not authorized"):
            client["deep_asteroids"].command("createUser", "x", pwd="x", roles=["root"])


@pytest.mark.parametrize("command", ["FLUSHALL", "CONFIG GET requirepass", "ACL LIST", "SHUTDOWN", "KEYS *"])
def test_a_guest_may_not_manage_redis(settings: Settings, command: str) -> None:
    with Redis.from_url(settings.required_redis_url()) as client:
        with pytest.raises(NoPermissionError):
            client.execute_command(*command.split())
        client.lpush("a-guest", "message")
        assert client.lpop("a-guest") == b"message"


def test_the_token_of_a_guest_opens_nothing_but_blobs(guest: dict[str, str]) -> None:
    api = guest["DA_BLOB_URL"].removesuffix("/v1/blobs")
    headers = {"Authorization": f"Bearer {guest['DA_BLOB_TOKEN']}"}
    for path in ("/v1/jobs", "/v1/models", "/v1/blobs", "/openapi.json"):
        answer = requests.get(api + path, headers=headers, verify=guest["DA_TLS_AUTHORITY"], timeout=10)
        assert answer.status_code == 401


def test_nobody_speaks_to_the_servers_without_a_certificate_of_the_service(
    opened: OpenService, guest: dict[str, str], tmp_path: Path
) -> None:
    stranger = tmp_path / "stranger.pem"
    stranger.write_text(Authority.open(tmp_path).guest(guest["DA_GUEST"], _tomorrow()))
    for certificate in ("", f"&tlsCertificateKeyFile={stranger}"):
        url = guest["DA_MONGO_URL"].rpartition("&")[0] + certificate
        client = MongoClient[dict[str, object]](url, serverSelectionTimeoutMS=1500)
        with client, pytest.raises(PyMongoError):
            client["deep_asteroids"]["jobs"].find_one()
    url = guest["DA_REDIS_URL"].partition("&ssl_certfile")[0]
    for certificate in ("", f"&ssl_certfile={stranger}&ssl_keyfile={stranger}"):
        with Redis.from_url(url + certificate) as redis, pytest.raises((RedisError, ssl.SSLError, OSError)):
            redis.ping()


def test_a_connection_ends_when_the_invitation_does_and_it_is_forgotten(
    opened: OpenService, tmp_path: Path
) -> None:
    file = opened.invite(tmp_path, days=4 / 86400)
    found = join(file, tmp_path / "host")
    with Redis.from_url(found["DA_REDIS_URL"]) as client, pytest.raises((RedisError, OSError)):
        client.blpop(["a-guest-waits"], timeout=30)
    with pytest.raises(NotInvited, match="expired at"):
        join(file, tmp_path / "host")
    with opened.admission() as admission:
        admission.tidy()
        assert found["DA_GUEST"] not in [guest.name for guest in admission.guests()]


def test_a_guest_that_is_sent_away_is_cut_off_and_its_invitation_is_void(
    opened: OpenService, tmp_path: Path
) -> None:
    file = opened.invite(tmp_path)
    found = join(file, tmp_path / "host")
    with Redis.from_url(found["DA_REDIS_URL"]) as client, opened.admission() as admission:
        client.ping()
        admission.withdraw(found["DA_GUEST"])
        with pytest.raises(NotFound, match="no invitation of 'guest_x'"):
            admission.withdraw("guest_x")
        with pytest.raises((RedisError, OSError)):
            client.ping()
    with pytest.raises(NotInvited, match=r"the invitation of guest_.* was withdrawn or is over"):
        join(file, tmp_path / "host")


def test_guests_stay_when_redis_is_killed(opened: OpenService, guest: dict[str, str]) -> None:
    first = opened.service.record.processes["redis"]
    os.kill(first.pid, signal.SIGKILL)
    wait_until(lambda: opened.service.record.processes["redis"] != first)

    def answers() -> bool:
        try:
            with Redis.from_url(guest["DA_REDIS_URL"]) as client:
                return bool(client.ping())
        except (RedisError, OSError):
            return False

    wait_until(answers)


def test_an_invitation_that_was_cut_is_refused(opened: OpenService, tmp_path: Path) -> None:
    file = opened.invite(tmp_path)
    text = file.read_text()
    for kept in (0, 1, len(text) // 2, len(text) - 3):
        file.write_text(text[:kept])
        with pytest.raises(Misconfigured, match="ends early or is no invitation"):
            join(file, tmp_path / "host")
    with pytest.raises(Misconfigured, match="can't be read: No such file"):
        join(tmp_path / "nowhere", tmp_path / "host")


def test_an_invitation_that_was_changed_is_refused(opened: OpenService, tmp_path: Path) -> None:
    file = opened.invite(tmp_path)
    contents = json.loads(file.read_text())
    for field, value in (("expires", "2099-01-01T00:00:00+00:00"), ("blob_url", "https://elsewhere")):
        file.write_text(json.dumps({**contents, field: value}))
        with pytest.raises(Misconfigured, match="was changed or damaged"):
            join(file, tmp_path / "host")
    file.write_text(json.dumps({"what": "else"}))
    with pytest.raises(Misconfigured, match="is no invitation"):
        join(file, tmp_path / "host")


@pytest.mark.parametrize("name", ["../../x", "guest_", "guest_0123456789/..", "GUEST_0123456789", 7])
def test_a_name_that_no_invitation_has_becomes_no_folder(
    opened: OpenService, tmp_path: Path, name: Any
) -> None:
    file = changed(opened.invite(tmp_path), name=name)
    with pytest.raises(Misconfigured, match="expected guest_ and ten hex digits"):
        join(file, tmp_path / "host")
    assert not (tmp_path / "host").exists()


@pytest.mark.parametrize("setting", ["LD_PRELOAD", "DA_SECRETS_FILE", "PYTHONPATH"])
def test_an_invitation_sets_nothing_that_workers_do_not_share(
    opened: OpenService, tmp_path: Path, setting: str
) -> None:
    file = opened.invite(tmp_path)
    settings = Invitation.read(file).settings | {setting: "x"}
    with pytest.raises(Misconfigured, match=f"sets {setting}; expected no other settings than"):
        join(changed(file, settings=settings), tmp_path / "host")


def test_a_service_of_another_authority_is_not_spoken_to(opened: OpenService, tmp_path: Path) -> None:
    file = changed(opened.invite(tmp_path), authority=Authority.open(tmp_path).certificate)
    with pytest.raises(Misconfigured, match="is not the one that wrote this invitation"):
        join(file, tmp_path / "host")


def test_messages_records_and_blobs_are_held_to_the_authority_of_the_invitation(
    guest: dict[str, str], tmp_path: Path
) -> None:
    right = guest["DA_TLS_AUTHORITY"]
    other = tmp_path / "other.crt"
    other.write_text(Authority.open(tmp_path).certificate)
    url, wrong = guest["DA_REDIS_URL"], guest["DA_REDIS_URL"].replace(quote(right), quote(str(other)))
    assert url.startswith("rediss://")
    assert wrong != url
    with Connection(url, connect_timeout=5) as celery:
        celery.ensure_connection(max_retries=1)
    with Connection(wrong, connect_timeout=5) as celery, pytest.raises(OperationalError, match="CERTIFICATE"):
        celery.ensure_connection(max_retries=1, interval_start=0)
    mongo_url = guest["DA_MONGO_URL"].replace(quote(right), quote(str(other)))
    with (
        MongoClient[dict[str, object]](mongo_url, serverSelectionTimeoutMS=1500) as client,
        pytest.raises(PyMongoError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        client["deep_asteroids"]["jobs"].find_one()
    blobs = BlobStore(guest["DA_BLOB_URL"], token=guest["DA_BLOB_TOKEN"], authority=other)
    with pytest.raises(Unavailable, match="is not who it should be"):
        blobs.get("0" * 64)


def test_a_blob_that_was_damaged_at_the_service_is_not_taken(opened: OpenService, settings: Settings) -> None:
    record = open_record(settings)
    sha256 = record.blobs.put(b"as it was put")
    (opened.settings.state_dir / "blobs" / sha256[:2] / sha256).write_bytes(b"as it is now")
    with pytest.raises(NotFound, match="is damaged"):
        record.blobs.get(sha256)
    record.close()


def test_an_address_that_does_not_answer_or_speaks_no_tls_is_named(
    opened: OpenService, tmp_path: Path
) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    with pytest.raises(Unavailable, match=f"{nobody} does not answer .*refused"):
        join(changed(opened.invite(tmp_path), gateway=nobody), tmp_path / "host")
    plain = opened.service.url.removeprefix("http://")
    with pytest.raises(Misconfigured, match=f"{plain} speaks no TLS"):
        join(changed(opened.invite(tmp_path), gateway=plain), tmp_path / "host")


def test_an_invitation_of_another_service_is_refused(opened: OpenService, tmp_path: Path) -> None:
    file = changed(opened.invite(tmp_path), service="0" * 64)
    with pytest.raises(Misconfigured, match="is not the one of the service that wrote this invitation"):
        join(file, tmp_path / "host")
    another = BlobStore(opened.settings.blobs).put(b"a blob, and not the mark of the record")
    file = changed(opened.invite(tmp_path), service=another)
    with pytest.raises(Misconfigured, match="the database is not that of the service"):
        join(file, tmp_path / "host")


def _tomorrow() -> datetime:
    return datetime.now(UTC) + timedelta(days=1)
