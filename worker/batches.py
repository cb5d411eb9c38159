"""A shard's cutouts as they are scored: batch by batch, the engine a batch ahead of a backlog."""

from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from itertools import islice

from core.job import Job
from worker.metrics import timed
from worker.networks import Networks, Scored
from worker.reader import Reading, ReadItem


class Batches:
    """What was read, in batches, each with its scores.

    Of a bulk shard the engine has the next batch before one is put on record, where its pixels are there by
    then: it waits for nothing, and nothing waits for a source that is slow.

    Parameters
    ----------
    done : cutouts that are not to be scored.
    size : cutouts of a batch at most.
    """

    def __init__(
        self, networks: Networks, job: Job, reading: Reading, *, done: Collection[str], size: int
    ) -> None:
        self._networks, self._job, self._reading = networks, job, reading
        self._done, self._size = done, size
        self._ahead = int(job.priority == "bulk" and job.cascade is None)
        self._flying: deque[tuple[list[ReadItem], Callable[[], Scored]]] = deque()

    def scored(self) -> Iterator[tuple[list[ReadItem], Scored]]:
        """All of them, in the order of the items."""
        with closing(self._reading):
            while True:
                if self._flying and (len(self._flying) > self._ahead or not self._is_read()):
                    yield self._landed()
                elif not self._begin():
                    break
        while self._flying:
            yield self._landed()

    def _is_read(self) -> bool:
        """Whether the next batch can be had without a wait."""
        return self._reading.is_ready(self._size)

    def _begin(self) -> bool:
        """Have the engine begin the next batch; False when there is none left."""
        with timed("wait"):
            batch = list(islice(self._reading, self._size))
        if batch:
            self._flying.append((batch, self._networks.begin(self._job, batch, self._done)))
        return bool(batch)

    def _landed(self) -> tuple[list[ReadItem], Scored]:
        batch, awaited = self._flying.popleft()
        return batch, awaited()
