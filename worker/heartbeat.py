"""Keeps a lease alive while it is worked on, and tells when it was lost."""

import logging
import threading
from collections.abc import Callable
from types import TracebackType

from pymongo.errors import PyMongoError

_log = logging.getLogger(__name__)


class Heartbeat:
    """Renews a lease every few seconds in a thread of its own; `renew` returns False when it was lost."""

    def __init__(self, renew: Callable[[], bool], *, every_s: float, name: str) -> None:
        self._renew, self._every_s, self._name = renew, every_s, name
        self._stop = threading.Event()
        self.lost = False
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat-{name}", daemon=True)

    def start(self) -> "Heartbeat":
        """Renew from now on."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Renew no more."""
        self._stop.set()
        self._thread.join()

    def __enter__(self) -> "Heartbeat":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _beat(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                if not self._renew():
                    self.lost = True
                    return
            except PyMongoError as error:
                _log.warning("lease not renewed: %s", type(error).__name__, extra={"lease": self._name})
