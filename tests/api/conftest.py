"""One API process for most tests; those that break something start their own."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.record import Record
from tests.api.server import ApiServer
from tests.api.versions import RB, SL
from tests.record import fresh_record, register, settings_for
from tests.service_accounts import url_of


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that file references may be in."""
    return tmp_path_factory.mktemp("references")


@pytest.fixture(scope="session")
def api_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the API process works."""
    return tmp_path_factory.mktemp("api")


@pytest.fixture(scope="session")
def api_record(mongo_url: str, redis_url: str, api_folder: Path) -> Iterator[Record]:
    """The record that the API works on, seen from beside it, with two versions in production."""
    database = f"test_api_{secrets.token_hex(6)}"
    record = fresh_record(settings_for(mongo_url, redis_url, database, api_folder / "state"))
    register(record, RB, SL)
    yield record
    record.database.client.drop_database(database)
    record.close()


@pytest.fixture(scope="session")
def api(
    api_record: Record, mongo_url: str, redis_url: str, api_folder: Path, shared_folder: Path
) -> Iterator[ApiServer]:
    """A running API with small limits, on real servers, with the rights that it has in containers."""
    limits = {
        "DA_LIMITS__UPLOAD_BYTES": "3000000",
        "DA_LIMITS__CUTOUT_BYTES": "200000",
        "DA_LIMITS__CUTOUTS_PER_JOB": "1500",
        "DA_LIMITS__UNPACKED_BYTES": "20000000",
        "DA_SCORING__SHARD_SIZE": "4",
        "DA_REFERENCES__ROOTS": f'["{shared_folder}"]',
        "DA_REFERENCES__HOSTS": '["*"]',
        "DA_INSTRUMENTS": '{"coarse": {"arcsec_per_px": 1.86, "fwhm_arcsec": 4, "exposure_s": 30}}',
    }
    database = api_record.database.name
    servers = {"mongo_url": url_of("api", mongo_url, database), "redis_url": redis_url, "database": database}
    with ApiServer(api_folder, **servers, **limits) as server:
        yield server
