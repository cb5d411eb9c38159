"""Redis or MongoDB away while somebody submits: a 202 is a promise, and nothing else is."""

from collections.abc import Iterator

import pytest
from redis import Redis

from cli.local.secrets import ensure_secrets
from cli.local.servers import ServerUrls, local_servers
from storage.record import Record
from tests.api.server import ApiServer
from tests.api.versions import RB, SL
from tests.images import jpeg
from tests.record import fresh_record, register, settings_for


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerUrls]:
    """Servers to be killed."""
    folder = tmp_path_factory.mktemp("outages")
    ensure_secrets(folder)
    with local_servers(folder) as servers:
        yield servers


@pytest.fixture(scope="module")
def away_record(servers: ServerUrls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Record]:
    folder = tmp_path_factory.mktemp("state")
    record = fresh_record(settings_for(servers.mongo_url, servers.redis_url, "outages", folder))
    register(record, RB, SL)
    yield record
    record.close()


@pytest.fixture(scope="module")
def away_api(
    servers: ServerUrls, away_record: Record, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiServer]:
    urls = {"mongo_url": servers.mongo_url, "redis_url": servers.redis_url, "database": "outages"}
    with ApiServer(tmp_path_factory.mktemp("api"), **urls) as server:
        yield server


def submit(api: ApiServer, seed: int) -> tuple[int, dict[str, object], dict[str, str]]:
    answer = api.ask("POST", "/v1/jobs/score", files={"files": ("a.jpg", jpeg(seed))})
    return answer.status_code, answer.json(), dict(answer.headers)


def test_without_redis_a_job_is_accepted_and_told_of_later(
    away_api: ApiServer, away_record: Record, servers: ServerUrls
) -> None:
    assert submit(away_api, 1)[0] == 202
    servers.redis.kill()
    try:
        status, answer, _ = submit(away_api, 2)
        ready = away_api.ask("GET", "/readyz").json()
    finally:
        servers.redis.start()
    assert status == 202
    job = str(answer["job"])
    assert (job, 0) in away_record.shards.longest_untold("live", 10)
    assert away_record.shards.items(job, 0) is not None
    assert ready["ready"] is False
    assert ready["checks"]["redis"].startswith("Redis does not answer")
    with Redis.from_url(servers.redis_url) as redis:
        before = redis.llen("score.live")
        assert submit(away_api, 3)[0] == 202
        assert redis.llen("score.live") == before + 1


def test_without_mongodb_nothing_is_accepted_and_the_caller_is_told_to_come_back(
    away_api: ApiServer, away_record: Record, servers: ServerUrls
) -> None:
    assert away_api.token
    before = away_record.database["jobs"].count_documents({})
    servers.mongo.kill()
    try:
        status, answer, headers = submit(away_api, 4)
        ready = away_api.ask("GET", "/readyz")
    finally:
        servers.mongo.start()
    assert status == 503
    assert int(headers["retry-after"]) > 0
    assert "may not have been accepted" in str(answer["detail"])
    assert "with the same Idempotency-Key" in str(answer["detail"])
    assert ready.status_code == 503
    assert ready.json()["checks"]["mongo"].startswith("MongoDB does not answer")
    assert away_record.database["jobs"].count_documents({}) == before
    assert submit(away_api, 5)[0] == 202
