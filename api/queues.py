"""What waits for workers, by MongoDB and by Redis."""

from datetime import UTC, datetime

from pydantic import BaseModel

from api.services import Services
from core.errors import Unavailable
from core.job import Priority
from tasks.queues import QUEUE_OF

MOST_COUNTED = 100_000


class Queue(BaseModel):
    """A queue: shards that wait by the record, messages in Redis, null where it does not answer.

    `since` is when the oldest job was made of which a shard waits, and `age_s` how long ago that was.
    """

    name: str
    waiting: int
    messages: int | None
    since: datetime | None
    age_s: float


def queues(services: Services) -> list[Queue]:
    """Both queues of scoring, live first."""
    return [_queue(services, priority) for priority in QUEUE_OF]


def _queue(services: Services, priority: Priority) -> Queue:
    shards = services.record.shards
    oldest = shards.oldest_waiting(priority)
    since = None if oldest is None else datetime.fromtimestamp(int(oldest[:11], 16) / 1000, UTC)
    try:
        messages = services.messenger.queue_length(priority)
    except Unavailable:
        messages = None
    return Queue(
        name=QUEUE_OF[priority],
        waiting=shards.waiting(priority, limit=MOST_COUNTED),
        messages=messages,
        since=since,
        age_s=0.0 if since is None else max(0.0, (datetime.now(UTC) - since).total_seconds()),
    )
