"""Both embedded servers at once, for the supervisor, for tests and for benchmarks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.local.mongo_server import EmbeddedMongo
from cli.local.redis_server import EmbeddedRedis
from cli.local.secrets import ensure_secrets
from core.service_secrets import Secrets


@dataclass(frozen=True)
class ServerUrls:
    """Where two running servers are, and the objects that can kill and restart them."""

    mongo_url: str
    redis_url: str
    mongo: EmbeddedMongo
    redis: EmbeddedRedis
    state_dir: Path


@contextmanager
def local_servers(state_dir: Path) -> Iterator[ServerUrls]:
    """Run Redis and MongoDB with their data in `state_dir` while the block runs (about 2 s to start)."""
    secrets = ensure_secrets(state_dir)
    redis, mongo = embedded_redis(state_dir, secrets), embedded_mongo(state_dir, secrets)
    try:
        redis_url, mongo_url = redis.start(), mongo.start()
        yield ServerUrls(mongo_url, redis_url, mongo, redis, state_dir)
    finally:
        mongo.stop()
        redis.stop()


def embedded_redis(
    state_dir: Path, secrets: Secrets, *, say: Callable[[str], None] = lambda _: None
) -> EmbeddedRedis:
    """The Redis of this state folder; `secrets` come from `ensure_secrets`."""
    if secrets.redis_password is None:
        raise ValueError("secrets without redis_password; expected those of ensure_secrets")
    return EmbeddedRedis(state_dir, secrets.redis_password.get_secret_value(), say=say)


def embedded_mongo(
    state_dir: Path, secrets: Secrets, *, say: Callable[[str], None] = lambda _: None
) -> EmbeddedMongo:
    """The MongoDB of this state folder."""
    account = secrets.database
    return EmbeddedMongo(
        state_dir, account.admin_username, account.admin_password.get_secret_value(), say=say
    )
