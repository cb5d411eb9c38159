"""A depot that is fetched from, as the settings have it."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

from cli.client import Client
from cli.depot.intake import DepotIntake
from cli.depot.server import Depot, Limits
from cli.kept_lines import KeptLines
from core.errors import InvalidRequest
from core.settings import Settings
from cutouts.nights import is_night

_NIGHTS_BACK = 2
_MOST_PARALLEL = 32


@contextmanager
def opened_depot(url: str, client: Client, settings: Settings, *, parallel: int = 4) -> Iterator[DepotIntake]:
    """The depot at this address, for this process alone; raises InvalidRequest and Conflict."""
    if not 1 <= parallel <= _MOST_PARALLEL:
        raise InvalidRequest(f"--parallel {parallel}; expected 1 to {_MOST_PARALLEL}")
    limits = Limits(settings.limits.upload_bytes, settings.limits.fetch_timeout_s)
    folder = settings.state_dir / "depot"
    with closing(Depot(url, settings.secrets.depot, limits, parallel=parallel)) as depot:
        name = hashlib.sha256(f"{client.url} {depot.url}".encode()).hexdigest()[:32]
        with KeptLines(folder / f"{name}.jsonl", "fetches from this depot") as kept:
            yield DepotIntake(depot, client, kept, spool=folder / name, parallel=parallel)


def nights_or_latest(named: Sequence[str]) -> list[str]:
    """The nights that are named, or today's (UTC) and two before: depots are filled days later.

    Raises InvalidRequest for what is no night.
    """
    wrong = next((night for night in named if not is_night(night)), None)
    if wrong is not None:
        raise InvalidRequest(f"night {wrong[:40]!r}; expected a date as 20180927")
    today = datetime.now(UTC).date()
    return list(named) or [f"{today - timedelta(days=n):%Y%m%d}" for n in range(_NIGHTS_BACK, -1, -1)]
