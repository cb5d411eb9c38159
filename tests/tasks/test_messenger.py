"""Messages to a Redis that closes connections, is away, or does not answer."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from celery import Celery
from redis import Redis

from cli.local.redis_server import EmbeddedRedis
from cli.local.secrets import ensure_secrets
from cli.local.servers import embedded_redis
from core.errors import Unavailable
from tasks import messenger as messenger_module
from tasks.messenger import Messenger

ANSWER_S = 0.5


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """A Redis to be killed."""
    folder = tmp_path_factory.mktemp("messenger")
    redis = embedded_redis(folder, ensure_secrets(folder))
    redis.start()
    yield redis
    redis.kill()


@pytest.fixture
def client(server: EmbeddedRedis) -> Iterator[Redis]:
    with Redis.from_url(server.url) as client:
        client.flushdb()
        yield client


@pytest.fixture
def messenger(server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch) -> Messenger:
    monkeypatch.setattr(messenger_module, "_ANSWER_S", ANSWER_S)
    return Messenger(Celery("messages", broker=server.url), server.url)


def test_many_at_once_share_a_few_connections_that_stay(messenger: Messenger, client: Redis) -> None:
    before = len(client.client_list())
    with ThreadPoolExecutor(30) as threads:
        list(threads.map(lambda n: messenger.tell([("job", n)], "live"), range(90)))
    first = {each["id"] for each in client.client_list()}
    assert len(first) <= before + 2 * 10  # kombu has one to publish and one for its channel
    for n in range(30):
        messenger.tell([("job", n)], "live")
    assert {each["id"] for each in client.client_list()} == first
    assert messenger.queue_length("live") == 120


def test_a_connection_that_was_closed_meanwhile_loses_no_message(messenger: Messenger, client: Redis) -> None:
    messenger.tell([("job", 0)], "bulk")
    assert client.client_kill_filter(_type="normal", skipme=True)
    messenger.tell([("job", 1), ("job", 2)], "bulk")
    assert messenger.queue_length("bulk") == 3


def test_without_redis_it_says_so_and_goes_on_once_it_is_back(
    messenger: Messenger, server: EmbeddedRedis
) -> None:
    messenger.tell([("job", 0)], "live")
    server.kill()
    try:
        with pytest.raises(Unavailable, match="Redis does not take messages"):
            messenger.tell([("job", 1)], "live")
    finally:
        server.start()
    before = messenger.queue_length("live")
    messenger.tell([("job", 2)], "live")
    assert messenger.queue_length("live") == before + 1


def test_a_redis_that_does_not_answer_holds_nobody_for_long(
    messenger: Messenger, server: EmbeddedRedis
) -> None:
    messenger.tell([("job", 0)], "live")
    assert server.process
    pid = server.process.pid
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    try:
        with ThreadPoolExecutor(30) as threads:
            told = [threads.submit(messenger.tell, [("job", n)], "live") for n in range(30)]
            refusals = [each.exception() for each in told]
    finally:
        os.kill(pid, signal.SIGCONT)
    assert {type(refusal) for refusal in refusals} == {Unavailable}
    assert time.monotonic() - began < 20 * ANSWER_S
    messenger.tell([("job", 1)], "live")
