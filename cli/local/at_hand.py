"""The record for a verb that works on it directly: of servers that are set, or of this machine's own."""

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import SecretStr

from cli.local.record import RecordFile
from cli.local.secrets import ensure_secrets, given_secrets
from cli.local.servers import embedded_mongo
from core.errors import Conflict, Misconfigured
from core.settings import Settings
from storage.record import Record, open_record


@contextmanager
def record_at_hand(settings: Settings, *, alone: bool) -> Iterator[Record]:
    """The record that the settings name; the embedded MongoDB is started for it where it does not run.

    Parameters
    ----------
    alone : the service of this state folder may neither run nor start meanwhile; raises Conflict if it runs.
    """
    if settings.guest is not None:
        raise Misconfigured("this host is a guest of another service; expected a host of the service itself")
    state_dir = settings.state_dir.absolute()
    file = RecordFile(state_dir)
    ours = settings.mongo_url is None
    locked = (alone or ours) and file.acquire()
    try:
        if locked:
            file.clear_leftovers()
        elif alone:
            raise Conflict(f"the service runs, with its state in {state_dir}; ./streaks down stops it")
        with _opened(settings, starts=locked) as record:
            yield record
    finally:
        file.release()


@contextmanager
def _opened(settings: Settings, *, starts: bool) -> Iterator[Record]:
    server = None
    if settings.mongo_url is None:
        state_dir = settings.state_dir.absolute()
        server = embedded_mongo(state_dir, ensure_secrets(state_dir, given=given_secrets(settings)))
        url = server.start() if starts else server.url
        settings = settings.model_copy(update={"mongo_url": SecretStr(url)})
    try:
        record = open_record(settings, patience_s=30.0)
        try:
            yield record
        finally:
            record.close()
    finally:
        if server is not None and starts:
            server.stop()
