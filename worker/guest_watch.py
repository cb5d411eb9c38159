"""Whether an invited host is still let in: of the service's doors only its API says that it is not."""

import logging
import os
import signal
import threading
import time

from core.errors import NotInvited, ServiceError
from storage.blobs import BlobStore

_log = logging.getLogger(__name__)
CHECK_S = 30.0
NO_BLOB = "0" * 64


class GuestWatch:
    """Asks the service every half a minute, in a thread; once it says no, this process is told to end.

    MongoDB and Redis close the connection without a word, as a server that is away does, and are waited for.

    Attributes
    ----------
    refused : whether the invitation was withdrawn or is over.
    """

    def __init__(self, guest: str, blobs: BlobStore) -> None:
        self._guest, self._blobs = guest, blobs
        self.refused = False

    def start(self) -> None:
        """Begin to ask; the thread ends with the process."""
        threading.Thread(target=self._ask, name="guest-watch", daemon=True).start()

    def raise_if_refused(self) -> None:
        """Raises NotInvited when the service has said no."""
        if self.refused:
            raise NotInvited(
                f"the invitation of {self._guest} was withdrawn or is over; have another one written where "
                "the service runs, with ./streaks invite"
            )

    def _ask(self) -> None:
        while not self._says_no():
            time.sleep(CHECK_S)
        self.refused = True
        _log.error("the invitation of %s was withdrawn or is over", self._guest)
        os.kill(os.getpid(), signal.SIGTERM)

    def _says_no(self) -> bool:
        try:
            _ = NO_BLOB in self._blobs
        except NotInvited:
            return True
        except ServiceError as error:  # it is away, and may come back
            _log.warning("the service does not answer: %s", error)
        return False
