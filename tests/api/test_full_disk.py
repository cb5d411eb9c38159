"""The disk of the service is full: a caller is told, nothing is half accepted, and then it goes on."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.record import Record
from tests.api.server import ApiServer
from tests.api.versions import RB, SL
from tests.images import jpeg
from tests.record import fresh_record, register, settings_for
from tests.small_disk import disk_or_skip, fill

ROOM_KIB = 64 * 1024  # the shipped networks are in it, too


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with disk_or_skip(tmp_path / "disk", kib=ROOM_KIB) as disk:
        yield disk


@pytest.fixture
def full_record(disk: Path, mongo_url: str, redis_url: str) -> Iterator[Record]:
    database = f"test_full_{secrets.token_hex(6)}"
    record = fresh_record(settings_for(mongo_url, redis_url, database, disk / "state"))
    register(record, RB, SL)
    yield record
    record.database.client.drop_database(database)
    record.close()


def test_a_full_disk_refuses_whole_what_it_can_t_keep_and_takes_it_once_there_is_room(
    disk: Path, full_record: Record, mongo_url: str, redis_url: str, tmp_path: Path
) -> None:
    servers = {"mongo_url": mongo_url, "redis_url": redis_url, "database": full_record.database.name}
    (tmp_path / "api").mkdir()
    with ApiServer(tmp_path / "api", **servers, DA_STATE_DIR=str(disk / "state")) as api:
        files = [("files", (f"{n}.jpg", jpeg(n))) for n in range(12)]
        headers = {"Idempotency-Key": "a-night"}

        def submit(**more: str) -> tuple[int, dict[str, object]]:
            answer = api.ask("POST", "/v1/jobs/score", files=files, headers=headers, data=more)
            return answer.status_code, answer.json()

        assert api.token
        filler = fill(disk)
        for room_kib in (0, 300):  # for not even the body; for the body, and not for all cutouts
            with filler.open("r+b") as file:
                file.truncate(filler.stat().st_size - room_kib * 1024)
            status, told = submit()
            assert (status, told["title"]) == (503, "Service Unavailable")
            assert "No space left on device" in str(told["detail"])
            assert full_record.database["jobs"].count_documents({}) == 0
            assert full_record.database["shards"].count_documents({}) == 0
        assert api.ask("GET", "/v1/jobs").json()["jobs"] == []
        assert list(disk.glob("state/blobs/*/.*")) == []
        filler.unlink()
        status, accepted = submit()
        assert (status, accepted["items"]) == (202, 12)
        assert submit() == (202, accepted)
        stored = full_record.shards.items(str(accepted["job"]), 0) or []
        assert [full_record.blobs.get(str(item.sha256)) for item in stored] == [
            jpeg(n) for n in range(len(stored))
        ]
