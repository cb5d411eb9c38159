"""Keeps a lease alive while its shard is worked on, and tells when it was lost."""

import logging
import threading
from types import TracebackType

from pymongo.errors import PyMongoError

from core.job import Lease
from storage.shards import ShardRepository

_log = logging.getLogger(__name__)


class Heartbeat:
    """Renews a lease every few seconds in a thread of its own."""

    def __init__(self, shards: ShardRepository, lease: Lease, *, every_s: float) -> None:
        self._shards, self._lease, self._every_s = shards, lease, every_s
        self._stop = threading.Event()
        self.lost = False
        self._thread = threading.Thread(
            target=self._beat, name=f"heartbeat-{lease.job}-{lease.n}", daemon=True
        )

    def __enter__(self) -> "Heartbeat":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                if not self._shards.renew(self._lease):
                    self.lost = True
                    return
            except PyMongoError as error:
                _log.warning("lease not renewed: %s", type(error).__name__, extra={"job": self._lease.job})
