"""What the sweeper tells of the whole service, from the record and from Redis, and of invited hosts."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector, generate_latest

from core.errors import Unavailable
from core.job import Priority
from storage.record import Record
from tasks.owed import Bell
from tasks.queues import QUEUE_OF, TRAIN
from tasks.relayed_metrics import RelayedMetrics

EVERY_S = 15.0
MOST_COUNTED = 100_000
STATES = ("waiting", "leased", "paused")


class ServiceMetrics:
    """Gauges of queues, shards, workers and versions, brought up to date by sweeps, every 15 s at most."""

    def __init__(self, record: Record, messenger: Bell) -> None:
        self._record, self._messenger = record, messenger
        self._next = 0.0
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)

        def gauge(name: str, told: str, *labels: str) -> Gauge:
            return Gauge(f"streaks_{name}", told, labels, registry=registry)

        self._messages = gauge("queue_messages", "Messages in Redis that no worker has taken.", "queue")
        self._age = gauge("queue_age_seconds", "Since the oldest job with a waiting shard was made.", "queue")
        self._shards = gauge("shards", f"Shards that are open, {MOST_COUNTED} at most.", "state", "queue")
        self._jobs = gauge("jobs", "Jobs that are open.", "kind")
        self._workers = gauge("workers", "Workers by what they are at.", "state")
        self._version = gauge("version_in_production", "1 for each version in production.", "version")
        self._disk = gauge("disk_bytes", "Size of the disk of MongoDB, and of blobs in a folder.", "of")
        self._free = gauge("disk_free_bytes", "What is free of it.", "of")
        self._swept = gauge("sweep_timestamp_seconds", "When the last sweep ended.")
        self._expired = Counter("streaks_lease_expiries", "Leases of shards that ran out.", registry=registry)
        self._relayed = RelayedMetrics()
        registry.register(self._relayed)

    def expired(self, leases: int) -> None:
        """Count leases that ran out."""
        self._expired.inc(leases)

    def update(self) -> None:
        """Look at the record and Redis, unless it was done just now."""
        self._swept.set_to_current_time()
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY_S
        for priority, queue in QUEUE_OF.items():
            self._age.labels(queue).set(self._oldest_s(priority))
            for state in STATES:
                count = self._record.shards.count(state, priority, limit=MOST_COUNTED)
                self._shards.labels(state, queue).set(count)
        for kind in ("score", "rescore", "train"):
            self._jobs.labels(kind).set(len(self._record.jobs.open_ids(kind)))
        present = self._record.workers.present()
        for state, found in {
            "ready": [worker for worker in present if worker.ready],
            "draining": [worker for worker in present if worker.draining],
            "unwell": [worker for worker in present if worker.unwell],
        }.items():
            self._workers.labels(state).set(len(found))
        for of, (size, free) in self._record.disks().items():
            self._disk.labels(of).set(size)
            self._free.labels(of).set(free)
        self._relayed.update(self._record.workers.metrics())
        self._version.clear()
        for version in self._record.models.production():
            self._version.labels(version).set(1)
        self._count_messages()

    def text(self) -> bytes:
        """All of it in Prometheus's text format."""
        return generate_latest(self._registry)

    def _oldest_s(self, priority: Priority) -> float:
        job = self._record.shards.oldest_waiting(priority)
        return 0.0 if job is None else max(0.0, time.time() - int(job[:11], 16) / 1000)

    def _count_messages(self) -> None:
        try:
            for priority, queue in QUEUE_OF.items():
                self._messages.labels(queue).set(self._messenger.queue_length(priority))
            self._messages.labels(TRAIN).set(self._messenger.trainings_queued())
        except Unavailable:
            self._messages.clear()  # no figure sooner than an old one
