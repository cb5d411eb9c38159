"""Sends messages that say only which shard or training. Losing one, or sending it twice, changes nothing."""

from collections.abc import Sequence

from celery import Celery
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError

from core.errors import Unavailable
from core.job import Priority
from tasks.queues import QUEUE_OF, TRAIN
from tasks.redis_account import redis_refusals_told


class Messenger:
    """Tells workers what waits for them."""

    def __init__(self, app: Celery, redis_url: str) -> None:
        self._app, self._url = app, redis_url
        self._redis = Redis.from_url(
            redis_url, socket_timeout=5, socket_connect_timeout=3, socket_keepalive=True
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
            with (
                self._app.connection_for_write(self._url) as connection,
                self._app.amqp.Producer(connection) as producer,
            ):
                for args in calls:
                    self._app.send_task(task, args=args, queue=queue, producer=producer, retry=False)
        except (OperationalError, RedisError, OSError) as error:
            raise Unavailable(f"Redis does not take messages: {type(error).__name__}") from error

    def _length(self, queue: str) -> int:
        try:
            return int(self._redis.llen(queue))
        except (RedisError, OSError) as error:
            raise Unavailable(f"Redis does not answer: {type(error).__name__}") from error
