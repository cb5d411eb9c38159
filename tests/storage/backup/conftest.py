"""One filled record and one backup of it for all tests here."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.settings import Settings
from storage.backup.manifest import Manifest
from storage.backup.write import back_up
from storage.record import Record, open_record
from tests.record import fresh_record, settings_for
from tests.storage.backup.filled import blobs, everything, fill


@dataclass(frozen=True)
class Kept:
    """A backup, and what was on record."""

    folder: Path
    manifest: Manifest
    documents: dict[str, dict[bytes, bytes]]
    blobs: dict[str, str]


@contextmanager
def a_record(
    mongo_url: str, redis_url: str, folder: Path, *, empty: bool
) -> Iterator[tuple[Record, Settings]]:
    settings = settings_for(mongo_url, redis_url, f"test_{secrets.token_hex(6)}", folder)
    record = open_record(settings) if empty else fresh_record(settings)
    try:
        yield record, settings
    finally:
        record.database.client.drop_database(record.database.name)
        record.close()


@pytest.fixture(scope="session")
def kept(mongo_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """A backup that no test changes."""
    base = tmp_path_factory.mktemp("kept")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DA_REDIS_URL", redis_url)  # Celery reads it once
        with a_record(mongo_url, redis_url, base / "state", empty=False) as (record, settings):
            fill(record, settings)
            documents = everything(record.database)
            manifest = back_up(record, base / "backup", release="v1")
            return Kept(base / "backup", manifest, documents, blobs(record))


@pytest.fixture
def target(mongo_url: str, redis_url: str, tmp_path: Path) -> Iterator[Record]:
    """An empty database and an empty store."""
    with a_record(mongo_url, redis_url, tmp_path / "target", empty=True) as (record, _):
        yield record
