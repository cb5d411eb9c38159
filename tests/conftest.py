"""Real servers for every test that asks for one: started once, with passwords, in a folder of this run."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from pymongo import MongoClient

from cli.local.secrets import ensure_secrets
from cli.local.servers import embedded_mongo, embedded_redis
from core.settings import Settings
from storage.record import Record
from tests.api.web.chromium import CHROMIUM
from tests.client_environment import empty_environment
from tests.prepared_databases import PreparedDatabases
from tests.record import fresh_record, settings_for

TESTS = Path(__file__).parent
LONGEST = (
    "bench/test_hosts.py",
    "worker/test_training_process.py",
    "deploy/test_service.py",
    "worker/test_worker_process.py",
    "test_service.py",
    "api/web/test_labelling.py",
    "bench/test_faults.py",
    "tasks/test_notifications.py",
    "worker/test_trainer.py",
    "models/test_training.py",
    "api/test_models.py",
    "api/web/test_in_browser.py",
    "api/web/test_project_pages.py",
    "cli/test_up_down_doctor.py",
    "cli/local/test_service.py",
    "worker/test_engines.py",
    "api/test_health.py",
    "cli/test_evaluate.py",
    "api/test_openapi.py",
    "api/test_outages.py",
    "api/web/test_login.py",
    "api/web/test_label_to_production.py",
    "models",
)
"""Files and rooms, by the time that they take: 15 s or more."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where processes share the tests, begin with those that take longest, so that all end together."""
    if hasattr(config, "workerinput"):
        items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    path = item.path.relative_to(TESTS)
    return next((n for n, longest in enumerate(LONGEST) if path.is_relative_to(longest)), len(LONGEST))


@pytest.fixture(scope="session", autouse=True)
def small_networks(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is scored matters to few tests, waiting to all: light networks, as graphs that workers share."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    os.environ["DA_SHIPPED"] = "light"
    os.environ["DA_SCORING__GRAPHS_DIR"] = str(shared / "graphs")


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """Verbs that are run in this process set variables for the processes they start; no test leaves any."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def servers_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of the shared servers."""
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def mongo_url(servers_dir: Path) -> Iterator[str]:
    """A MongoDB replica set of one; use `mongo_database`, or a database name of your own."""
    server = embedded_mongo(servers_dir, ensure_secrets(servers_dir))
    url = server.start()
    with MongoClient[dict[str, object]](url) as client:
        # it keeps the files of dropped databases open for so long, five minutes by default: too many of them
        client.admin.command("setParameter", 1, minSnapshotHistoryWindowInSeconds=5)
    yield url
    server.kill()


@pytest.fixture(scope="session")
def redis_url(servers_dir: Path) -> Iterator[str]:
    """A Redis, shared by all tests: use names of your own, and expect other keys there."""
    server = embedded_redis(servers_dir, ensure_secrets(servers_dir))
    yield server.start()
    server.kill()


@pytest.fixture(scope="session")
def client_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with what `pip install ./clients/python` puts there, and no more."""
    return empty_environment(tmp_path_factory.mktemp("client"))


@pytest.fixture(scope="session")
def prepared_databases(mongo_url: str) -> Iterator[PreparedDatabases]:
    """Databases for the fixture `record`."""
    databases = PreparedDatabases(mongo_url)
    yield databases
    databases.close()


@pytest.fixture
def mongo_database(mongo_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of an empty database: with its indexes for a test that takes `record`, else a fresh one."""
    if "record" in request.fixturenames:
        databases: PreparedDatabases = request.getfixturevalue("prepared_databases")
        name = databases.take()
        yield name
        databases.give_back(name)
        return
    name = f"test_{secrets.token_hex(6)}"
    yield name
    with MongoClient[dict[str, object]](mongo_url) as client:
        client.drop_database(name)


@pytest.fixture
def settings(
    mongo_url: str, redis_url: str, mongo_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """Settings on the shared servers, with a database and a folder of this test."""
    monkeypatch.setenv("DA_REDIS_URL", redis_url)  # Celery reads it once, when the app is first used
    monkeypatch.setenv("DA_SCORING__ALLOW_CPU", "true")  # the locked requirements for tests are the CPU's
    return settings_for(mongo_url, redis_url, mongo_database, tmp_path)


@pytest.fixture
def record(settings: Settings) -> Iterator[Record]:
    """A fresh record."""
    opened = fresh_record(settings)
    yield opened
    opened.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what was not tested."""
    skipped = terminalreporter.stats.get("skipped", [])
    count = sum(str(CHROMIUM) in str(report.longrepr) for report in skipped)
    if count:
        line = f"{count} TESTS IN A BROWSER DID NOT RUN: {CHROMIUM} is missing (apt-get install chromium)"
        terminalreporter.write_line(line, red=True, bold=True)
