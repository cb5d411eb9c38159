"""Real Flower on a real Redis, with the service's own Celery app."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.local.children import Child
from cli.local.flower_app import basic_auth
from cli.local.ports import free_port
from cli.local.programs import ROOT, Place, service_programs
from cli.local.readiness import ask
from cli.local.secrets import ensure_secrets, secrets_path
from core.errors import Misconfigured
from core.service_secrets import Secrets
from tests.cli.local.running import wait_until

PAGES = ("/", "/workers", "/tasks", "/broker", "/metrics", "/healthcheck", "/api/workers", "/api/task/types")


@pytest.fixture(scope="module")
def flower(
    tmp_path_factory: pytest.TempPathFactory, mongo_url: str, redis_url: str
) -> Iterator[tuple[int, tuple[str, str], Child]]:
    state = tmp_path_factory.mktemp("flower")
    secrets = ensure_secrets(state)
    assert secrets.flower is not None
    port = free_port()
    place = Place(
        state, secrets_path(state), mongo_url, redis_url, "127.0.0.1", free_port(avoid=(port,)), port
    )
    program = next(p for p in service_programs(place, secrets) if p.name == "flower")
    # What an operator may have left in the environment must not open it.
    env = {**program.env, "FLOWER_UNAUTHENTICATED_API": "true", "FLOWER_BASIC_AUTH": "guest:guest"}
    child = Child("flower", program.argv, log=state / "logs" / "flower.log", env=env, cwd=ROOT)
    try:
        wait_until(program.ready, timeout_s=60)
        yield port, (secrets.flower.user, secrets.flower.password.get_secret_value()), child
    finally:
        child.kill()


@pytest.mark.parametrize("page", PAGES)
def test_every_page_asks_for_the_password(flower: tuple[int, tuple[str, str], Child], page: str) -> None:
    port, account, _ = flower
    assert ask(port, page)[0] == 401
    assert ask(port, page, account=("guest", "guest"))[0] == 401
    assert ask(port, page, account=account)[0] == 200


def test_the_password_is_in_no_argument_and_no_environment(
    flower: tuple[int, tuple[str, str], Child],
) -> None:
    _, (_, password), child = flower
    for name in ("cmdline", "environ"):
        assert password.encode() not in Path(f"/proc/{child.pid}/{name}").read_bytes()
    assert os.environ.get("FLOWER_BASIC_AUTH") is None


def test_without_an_account_flower_does_not_start() -> None:
    secrets = Secrets.model_validate({"database": {"admin_username": "a", "admin_password": "b"}})
    with pytest.raises(Misconfigured, match="no account for Flower"):
        basic_auth(secrets)
