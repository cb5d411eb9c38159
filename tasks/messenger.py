"""Sends messages that say only which shard or training. Losing one, or sending it twice, changes nothing."""

from collections.abc import Sequence

from celery import Celery
from kombu.exceptions import LimitExceeded, OperationalError
from kombu.pools import ProducerPool
from redis import Redis
from redis.exceptions import RedisError

from core.errors import Unavailable
from core.job import Priority
from tasks.queues import QUEUE_OF, TRAIN
from tasks.redis_account import redis_refusals_told

_CONNECTIONS = 10
_ANSWER_S = 5.0
_ONCE_MORE = {"max_retries": 1, "interval_start": 0.0}  # a connection that was kept may have been closed


class Messenger:
    """Tells workers what waits for them.

    Up to ten senders at once; their connections are made when first needed and stay open: with TLS, making
    one costs much more than a message.
    """

    def __init__(self, app: Celery, redis_url: str) -> None:
        self._app, self._url = app, redis_url
        connection = app.connection_for_write(redis_url, transport_options={"socket_timeout": _ANSWER_S})
        self._producers = ProducerPool(connection.Pool(_CONNECTIONS), limit=_CONNECTIONS)
        self._redis = Redis.from_url(
            redis_url, socket_timeout=_ANSWER_S, socket_connect_timeout=3, socket_keepalive=True
        )

    def tell(self, shards: Sequence[tuple[str, int]], priority: Priority) -> None:
        """Send one message per shard (job, n); raises Unavailable when Redis does not take them."""
        self._send("score_shard", [[job, n] for job, n in shards], QUEUE_OF[priority])

    def tell_trainings(self, jobs: Sequence[str]) -> None:
        """Send one message per training job; raises Unavailable when Redis does not take them."""
        self._send("train", [[job] for job in jobs], TRAIN)

    def queue_length(self, priority: Priority) -> int:
        """Messages that no worker has taken; raises Unavailable when Redis does not answer."""
        return self._length(QUEUE_OF[priority])

    def trainings_queued(self) -> int:
        """Messages of trainings that no worker has taken; raises Unavailable when Redis does not answer."""
        return self._length(TRAIN)

    def check(self) -> None:
        """Raises Unavailable when Redis does not answer, Misconfigured when it refuses the password."""
        try:
            with redis_refusals_told(self._url):
                self._redis.ping()
        except (RedisError, OSError) as error:
            raise Unavailable(f"Redis does not answer: {type(error).__name__}") from error

    def _send(self, task: str, calls: Sequence[list[str | int]], queue: str) -> None:
        try:
            with self._producers.acquire(block=True, timeout=_ANSWER_S) as producer:
                for args in calls:
                    self._app.send_task(
                        task, args=args, queue=queue, producer=producer, retry=True, retry_policy=_ONCE_MORE
                    )
        except (LimitExceeded, OperationalError, RedisError, OSError) as error:
            raise Unavailable(f"Redis does not take messages: {type(error).__name__}") from error

    def _length(self, queue: str) -> int:
        try:
            return int(self._redis.llen(queue))
        except (RedisError, OSError) as error:
            raise Unavailable(f"Redis does not answer: {type(error).__name__}") from error
