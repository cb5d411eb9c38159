"""A shard's cutouts as they are scored: batch by batch, the engine a batch ahead of a backlog."""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import NamedTuple, Protocol

from core.job import Job
from worker.metrics import timed
from worker.networks import Networks, Scored
from worker.reader import Reading, ReadItem


class Landed(NamedTuple):
    """A batch that was read, its scores, and the precision that they were computed in."""

    batch: Sequence[ReadItem]
    scores: Scored
    precision: str


class Next(Protocol):
    """The shard that comes after this one."""

    def take(self) -> None:
        """See to it that it is claimed, if it is not; returns at once."""

    def begin(self) -> None:
        """Have the engine begin its first batch, if that is there and was not begun."""


class Batches:
    """What was read, in batches, each with its scores.

    Of a bulk shard the engine has the next batch before one is put on record, where its pixels are there by
    then: it waits for nothing, and nothing waits for a source that is slow.

    Parameters
    ----------
    done : cutouts that are not to be scored.
    size : cutouts of a batch at most.
    first : cutouts of the first batch of a backlog, where the engine would wait for more.
    """

    def __init__(
        self,
        networks: Networks,
        job: Job,
        reading: Reading,
        *,
        done: Collection[str],
        size: int,
        first: int | None = None,
    ) -> None:
        self._networks, self._job, self._reading = networks, job, reading
        self._done, self._size = done, size
        self._ahead = int(job.priority == "bulk" and job.cascade is None)
        self._first = first if self._ahead and first else size
        self._flying: deque[tuple[list[ReadItem], Callable[[], Scored], str]] = deque()

    def begin_early(self) -> bool:
        """Have the engine begin the first batch of a backlog, while it works on the shard before.

        Returns False where that would be a wait: for what is not read, or for a cascade.
        """
        return bool(self._ahead) and self._is_read() and self._begin()

    def read_ahead(self) -> None:
        """Begin to read."""
        self._is_read()

    def close(self) -> None:
        """Give up what is not read yet."""
        self._reading.close()

    def scored(self, following: Next | None = None) -> Iterator[Landed]:
        """All of them, in the order of the items.

        Parameters
        ----------
        following : claimed when all of this shard is read or being read, and begun before its last batch is
            awaited, so that the engine does not wait for the end of a shard.
        """
        with closing(self._reading):
            while True:
                if following is not None and self._reading.all_begun:
                    following.take()
                if self._flying and (len(self._flying) > self._ahead or not self._is_read()):
                    yield self._landed()
                elif not self._begin():
                    break
        yield from self._last(following)

    def _last(self, following: Next | None) -> Iterator[Landed]:
        if following is None:
            yield from (self._landed() for _ in range(len(self._flying)))
            return
        following.take()
        while self._flying:
            following.begin()
            landed = self._landed()
            following.begin()  # its pixels may be there by now
            yield landed

    def _is_read(self) -> bool:
        """Whether the next batch can be had without a wait."""
        return self._reading.is_ready(self._size)

    def _begin(self) -> bool:
        """Have the engine begin the next batch; False when there is none left."""
        with timed("wait"):
            batch = list(islice(self._reading, self._first))
            if self._reading.is_ready(rest := self._size - len(batch)):
                batch += islice(self._reading, rest)
        self._first = self._size
        if batch:
            awaited = self._networks.begin(self._job, batch, self._done)
            self._flying.append((batch, awaited, self._networks.precision))
        return bool(batch)

    def _landed(self) -> Landed:
        batch, awaited, precision = self._flying.popleft()
        return Landed(batch, awaited(), precision)
