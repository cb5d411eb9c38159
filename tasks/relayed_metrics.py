"""What workers on invited hosts count, told by the sweeper, as nothing that collects metrics reaches them."""

import logging
from collections.abc import Iterable, Mapping

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

_log = logging.getLogger(__name__)
RELAYED = frozenset(
    f"streaks_{name}"
    for name in (
        *("cutouts", "rejections", "stage_seconds", "batch_fill", "score"),
        *("device_bytes", "holds", "ready", "replaced", "invitation_ends_timestamp_seconds"),
    )
)
"""All that a scoring process counts, and the watchdog beside it: a host can't speak for anybody else."""
MOST_BYTES = 64 * 1024
_WORKER = "worker"


class RelayedMetrics(Collector):
    """The figures of every worker that is present and is scraped by nobody, each by its name as `worker`."""

    def __init__(self) -> None:
        self._told: list[Metric] = []
        self._unread: frozenset[str] = frozenset()

    def update(self, texts: Mapping[str, str]) -> None:
        """Take what each worker told last, by its name, in Prometheus's text format.

        What can't be read is left out and logged, once: it comes from another host.
        """
        families: dict[str, Metric] = {}
        unread = set()
        for worker, text in sorted(texts.items()):
            try:
                own = _read(text)
            except ValueError as error:
                unread.add(worker)
                if worker not in self._unread:
                    _log.warning("metrics not told: %s", error, extra={"worker": worker})
                continue
            for family in own:
                merged = families.setdefault(
                    family.name, Metric(family.name, family.documentation, family.type)
                )
                for sample in family.samples:
                    merged.add_sample(sample.name, {**sample.labels, _WORKER: worker}, sample.value)
        self._told, self._unread = list(families.values()), frozenset(unread)

    def collect(self) -> Iterable[Metric]:
        """All of it, as of the last update."""
        return self._told


def _read(text: str) -> list[Metric]:
    """The families of a text that are a worker's; raises ValueError where it is none, or far too long."""
    if len(text) > MOST_BYTES:
        raise ValueError(f"{len(text)} characters of metrics; expected {MOST_BYTES} at most")
    return [family for family in text_string_to_metric_families(text) if family.name in RELAYED]
