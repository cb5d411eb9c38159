"""What is owed to the workers: as many messages as shards wait for them."""

import logging
from typing import Protocol

from core.errors import Unavailable
from core.job import Priority
from storage.record import Record

_log = logging.getLogger(__name__)
WINDOW = 1000  # messages kept in a queue: enough for every worker, bounded for any backlog


class ShardBell(Protocol):
    """What telling of shards needs of a messenger."""

    def tell(self, shards: list[tuple[str, int]], priority: Priority) -> None:
        """Send one message per shard."""

    def queue_length(self, priority: Priority) -> int:
        """Messages that no worker has taken."""


class Bell(ShardBell, Protocol):
    """What the sweep needs of a messenger."""

    def tell_trainings(self, jobs: list[str]) -> None:
        """Send one message per training job."""

    def trainings_queued(self) -> int:
        """Messages of trainings that no worker has taken."""


def tell_owed(record: Record, bell: ShardBell, priority: Priority, *, window: int = WINDOW) -> None:
    """Keep as many messages as shards wait, up to the window: lost ones are made good, none pile up.

    Two that tell at the same time do no harm, and what Redis does not take now will be told later.
    """
    waiting = record.shards.waiting(priority, limit=window)
    if not waiting:
        return
    try:
        missing = waiting - bell.queue_length(priority)
        if missing > 0:
            shards = record.shards.longest_untold(priority, missing)
            bell.tell(shards, priority)
            record.shards.mark_told(shards)
    except Unavailable as error:
        _log.warning("will be told later: %s", error)
