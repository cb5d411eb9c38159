"""Which workers are there: each tells the record every few seconds that it holds its networks."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from storage.database import Mongo

FRESH_S = 15.0


@dataclass(frozen=True)
class WorkerInfo:
    """A scoring process: host and pid, what it computes on, which versions it holds, what it has done."""

    name: str
    engine: str
    device: str
    versions: tuple[str, ...]
    scored: int
    rss_bytes: int


class WorkerRepository:
    """The collection `workers`."""

    def __init__(self, database: Mongo) -> None:
        self._workers = database["workers"]

    def report(self, worker: WorkerInfo) -> None:
        """Note that this worker is there and ready."""
        fields = asdict(worker) | {"versions": list(worker.versions), "at": datetime.now(UTC)}
        fields.pop("name")
        self._workers.update_one({"_id": worker.name}, {"$set": fields}, upsert=True)

    def leave(self, name: str) -> None:
        """Note that this worker has ended."""
        self._workers.delete_one({"_id": name})

    def ready(self) -> Sequence[WorkerInfo]:
        """The workers that reported within the last 15 s."""
        since = datetime.now(UTC) - timedelta(seconds=FRESH_S)
        return [
            WorkerInfo(d["_id"], d["engine"], d["device"], tuple(d["versions"]), d["scored"], d["rss_bytes"])
            for d in self._workers.find({"at": {"$gte": since}})
        ]
