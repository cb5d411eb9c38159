"""Which workers are there: each tells the record every few seconds that it holds its networks."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, count

from pymongo.errors import DuplicateKeyError

from storage.database import Document, Mongo

FRESH_S = 15.0


@dataclass(frozen=True)
class WorkerInfo:
    """A scoring process: its name by host and device, what it computes on, what it holds and has done.

    One that is `draining` was told to end: it finishes the shard at hand and takes no other.
    One that is `unwell` says why it takes no work. `replaced` counts the processes before this one that were
    killed since they did not answer, or scored wrongly; `replaced_why` tells the last one's fault.
    """

    name: str
    engine: str
    device: str
    versions: tuple[str, ...]
    scored: int
    rss_bytes: int
    pid: int = 0
    draining: bool = False
    unwell: str = ""
    replaced: int = 0
    replaced_why: str = ""

    @property
    def ready(self) -> bool:
        """Whether it takes work."""
        return bool(self.versions) and not self.draining and not self.unwell


def host_of(name: str) -> str:
    """The host of a worker's name, `host:gpu0`."""
    return name.partition(":")[0]


class WorkerRepository:
    """The collection `workers`. Ages are by the database's clock."""

    def __init__(self, database: Mongo) -> None:
        self._workers = database["workers"]

    def report(self, worker: WorkerInfo, *, token: str, metrics: str | None = None) -> str:
        """Note that this worker is there and ready; returns the name that it goes by.

        `metrics`, in Prometheus's text format, are of one that nothing can scrape.

        Names are of one holder each, known by its token: where another holds `host:gpu0` (a second process
        on that device, or a host of the same name), this one is `host:gpu0-2`, or the next that is free. Who
        has not reported for 15 s holds no name any more.
        """
        fields = asdict(worker) | {"versions": list(worker.versions), "token": token}
        del fields["name"]
        if metrics is not None:
            fields["metrics"] = metrics
        device = worker.name.partition(":")[2]
        first = f"{host_of(worker.name)}:{device.partition('-')[0]}"
        names = chain((worker.name, first), (f"{first}-{n}" for n in count(2)))
        return next(name for name in names if self._take(name, token, fields))

    def leave(self, name: str, *, token: str) -> None:
        """Note that this worker has ended."""
        self._workers.delete_one({"_id": name, "token": token})

    def ready(self) -> Sequence[WorkerInfo]:
        """The workers that take work, and reported so within the last 15 s."""
        return [worker for worker in self.present() if worker.ready]

    def present(self) -> Sequence[WorkerInfo]:
        """The workers that reported within the last 15 s, those that are draining or unwell too."""
        return [
            WorkerInfo(
                d["_id"],
                d["engine"],
                d["device"],
                tuple(d["versions"]),
                d["scored"],
                d["rss_bytes"],
                d.get("pid", 0),
                d.get("draining", False),
                d.get("unwell", ""),
                d.get("replaced", 0),
                d.get("replaced_why", ""),
            )
            for d in self._workers.find(_aged("$gte"), {"metrics": False}).sort("_id", 1)
        ]

    def metrics(self) -> Mapping[str, str]:
        """By name, what those who are present have told to be counted for them."""
        told = self._workers.find(_aged("$gte") | {"metrics": {"$type": "string"}}, {"metrics": True})
        return {document["_id"]: document["metrics"] for document in told}

    def is_ready(self, token: str) -> bool:
        """Whether the worker of this token reported within the last 15 s."""
        return self._workers.find_one({"token": token} | _aged("$gte"), {"_id": True}) is not None

    def _take(self, name: str, token: str, fields: Document) -> bool:
        """Write the report under a name, unless another holds it."""
        change = {"$set": fields, "$currentDate": {"at": True}}
        try:
            self._workers.update_one({"_id": name, "token": token}, change, upsert=True)
        except DuplicateKeyError:
            return self._workers.update_one({"_id": name} | _aged("$lt"), change).matched_count == 1
        return True


def _aged(comparison: str) -> Document:
    """A query for reports that are younger (`$gte`) or older (`$lt`) than 15 s."""
    since = {"$dateSubtract": {"startDate": "$$NOW", "unit": "millisecond", "amount": int(FRESH_S * 1000)}}
    return {"$expr": {comparison: ["$at", since]}}
