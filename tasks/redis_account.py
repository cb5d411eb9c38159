"""Whether Redis lets a process in, and to its queue: asked at the start, for Celery would try for ever."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import unquote, urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError
from redis.retry import Retry

from core.errors import Misconfigured
from storage.database import IN_CONTAINERS


def check_redis_account(url: str, *, queue: str) -> None:
    """Raises Misconfigured where Redis refuses the account of the URL, or to tell it of this queue.

    A Redis that does not answer is none: whoever asks waits for it.
    """
    with (
        suppress(RedisError, OSError),
        Redis.from_url(url, socket_timeout=5, socket_connect_timeout=3, retry=Retry(NoBackoff(), 0)) as redis,
        redis_refusals_told(url),
    ):
        redis.llen(queue)


@contextmanager
def redis_refusals_told(url: str) -> Iterator[None]:
    """Raise Misconfigured, with the cure, where Redis refuses an account, or what it is about to do."""
    user = unquote(urlsplit(url).username or "")
    whose = f" of the account {user}" if user else ""
    try:
        yield
    except AuthenticationError as error:
        raise Misconfigured(
            f"Redis refuses the password{whose}; set that server's in DA_REDIS_URL, or in the secrets where "
            f"that says {{redis}}; {IN_CONTAINERS}"
        ) from error
    except NoPermissionError as error:
        raise Misconfigured(
            f"the rights{whose} in Redis do not allow what this process does ({error}); expected the account "
            f"of this service; {IN_CONTAINERS}"
        ) from error
