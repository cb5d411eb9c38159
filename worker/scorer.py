"""Works on shards: claim, read, score in batches, write outcomes once, close."""

import logging
import math
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial

from pymongo.errors import PyMongoError

from core.errors import ServiceError
from core.job import Item, Job, Lease, Priority, ShardResult
from core.settings import Scoring
from core.telemetry import logged_about
from cutouts.instruments import ZTF
from storage.record import Record
from worker.ahead import Ahead
from worker.batches import Batches
from worker.engine import Engine
from worker.heartbeat import Heartbeat
from worker.ledger import ShardLedger
from worker.live import NOT_OF_AN_ITEM, LiveShards
from worker.networks import Networks
from worker.reader import Reader
from worker.to_score import ToScore, to_score
from worker.turn import Prepared, Turn

_log = logging.getLogger(__name__)
LOOK_S = 0.1  # between two looks for live work, so that a fast device does not wait for each
MESSAGE_S = 60.0  # a message of a backlog is worked on so long; then those that came meanwhile leave Redis
CAREFUL_AFTER = 3  # claims of a shard that nobody closed; then its cutouts are scored one by one


class ShardScorer:
    """The scorer of this process: one engine, one shard after the other, live ones in between.

    The next shard of a backlog is claimed and begun while the last batches of the one before are scored, so
    that the engine does not wait between them.

    Attributes
    ----------
    draining : whether it is to finish what it has begun and to take no other.
    """

    def __init__(
        self,
        record: Record,
        engine: Engine,
        readers: Mapping[Priority, Reader],
        settings: Scoring,
        *,
        worker: str,
    ) -> None:
        self._record, self._readers = record, readers
        self._networks = Networks(record.models, engine)
        self._settings, self.worker = settings, worker
        self._batch = max(settings.batch_sizes)
        self._first = min((size for size in settings.batch_sizes if size > 1), default=1)
        self._live = LiveShards(record, self, batch=self._batch, heartbeat_s=settings.heartbeat_s)
        self._claims = ThreadPoolExecutor(1, thread_name_prefix="ahead")
        self._looked = self._asked = 0.0
        self._outlived: list[tuple[Lease, int]] = []  # items that are to be acquitted
        self.scored = 0
        self.draining = False

    def load(self, versions: Sequence[str], *, cascade: bool = False) -> None:
        """Hold and warm these versions, dropping the longest held where there are too many."""
        self._networks.load(versions, cascade=cascade)

    def score_shard(self, job: str, n: int) -> None:
        """Score the live shard that a message names, or, for a minute, bulk shards that can be claimed ahead.

        A message that is doubled, late or wrong brings nothing but another look at the record; one that
        comes while it is draining brings nothing, and the sweeper sends another.
        """
        if self.draining:
            return
        self._acquit()
        lease = self._record.shards.claim(job, n, worker=self.worker, priority="live")
        if lease is not None:
            self._live.work(self._live.with_others(lease))
            return
        if self._record.shards.is_live(job, n):  # late; as many as came in a backlog may be before who waits
            self._serve_live()
        self._asked = time.monotonic()
        lost: set[str] = set()
        while (turn := self._next_turn(passing_over=lost)) is not None:
            if self._work_through(turn):
                return
            lost.add(turn.job.id)

    def _next_turn(self, *, passing_over: Collection[str] = ()) -> Turn | None:
        """Claim the bulk shard whose turn it is, of jobs that there is something to work on."""
        passed = {*passing_over, *self._sated()}
        while not self.draining and (
            lease := self._record.shards.claim_waiting("bulk", worker=self.worker, passing_over=passed)
        ):
            if (turn := self._turn(lease)) is not None:
                return turn
            passed.add(lease.job)
        return None

    def _sated(self) -> set[str]:
        """Jobs that have as many workers as they may take: their share of those there are, at least one.

        This one is not counted: while it ends a shard it holds the next one, too.
        """
        shares = self._record.jobs.shares()
        workers = len(self._record.workers.ready()) if shares else 0
        return {
            job
            for job, share in shares.items()
            if len(self._record.shards.workers_on(job) - {self.worker}) >= max(1, math.floor(share * workers))
        }

    def work(self, lease: Lease) -> bool:
        """Work on a shard; False when there was nothing to do."""
        turn = self._turn(lease)
        return turn is not None and self._worked(turn)

    def _turn(self, lease: Lease) -> Turn | None:
        """A claimed shard's, its lease renewed from now on; None where its job is not to be worked on."""
        job = self._record.jobs.start(lease.job)
        if job is None:
            self.give_back(lease)
            return None
        renew = partial(self._record.shards.renew, lease)
        name = f"{lease.job}-{lease.n}"
        heartbeat = Heartbeat(renew, every_s=self._settings.heartbeat_s, name=name)
        return Turn(job, lease, heartbeat.start(), self._record.shards)

    def _work_through(self, turn: Turn) -> bool:
        """Work on a bulk shard, and on those that are claimed ahead meanwhile; False when it was lost."""
        done, following = self._worked_on(turn)
        while following is not None:
            try:
                self._serve_live()
                if self.draining and not following.begun:  # told to end meanwhile
                    following.give_back(counts=False)
                    break
                self._record.shards.note_turn(following.lease)
            except BaseException:  # else its lease would be renewed for as long as this process lives
                following.give_back(counts=False)
                raise
            _, following = self._worked_on(following)
        return done

    def _worked_on(self, turn: Turn) -> tuple[bool, Turn | None]:
        """Whether the shard was done, and whose turn is next, of which the engine may have a batch already.

        One that is claimed ahead and whose turn does not come is given back.
        """
        ahead = Ahead(
            self._claims, partial(self._taken_ahead, turn.lease), may_begin=lambda: not self.draining
        )
        try:
            return self._worked(turn, ahead), ahead.turn()
        finally:
            ahead.give_back()

    def _taken_ahead(self, present: Lease) -> Turn | None:
        """The turn that follows, prepared where the engine may begin it before the present one has ended.

        A shard that was claimed before is worked on alone, because who worked on it may have died of it. None
        is claimed while people wait, nor when the message has been worked on for long.
        """
        if present.attempts > 1 or self.draining or time.monotonic() - self._asked > MESSAGE_S:
            return None
        if self._record.shards.any_live():
            return None
        turn = self._next_turn()
        if turn is None or turn.lease.attempts > 1 or not self._is_warm(turn.job):
            return turn
        try:
            with logged_about(job=turn.lease.job, shard=turn.lease.n):
                turn.prepared = self._prepared(turn.job, [turn.lease])
                turn.prepared.batches.read_ahead()
        except BaseException:
            turn.give_back(counts=False)
            raise
        return turn

    def _is_warm(self, job: Job) -> bool:
        return self._networks.are_warm(job.versions, cascade=job.cascade is not None)

    def _worked(self, turn: Turn, ahead: Ahead | None = None) -> bool:
        job, lease = turn.job, turn.lease
        with logged_about(job=lease.job, shard=lease.n, worker=self.worker):
            with turn:
                if not self._loaded(job, lease):
                    return False
                results = self._results(job, [lease], turn.heartbeat, prepared=turn.prepared, ahead=ahead)
            if results is None or not self._record.shards.close(lease, result := results[0]):
                _log.warning("lease lost; what was scored stays")
                return False
            self.scored += result.scored
            found = {"versions": job.versions, "scored": result.scored, "rejected": result.rejected}
            _log.info("shard done", extra=found)
            if not self._record.shards.any_open(job.id):
                self._record.jobs.finish(job.id)
        return True

    def give_back(self, lease: Lease) -> None:
        """Return a shard whose job was not accepted, or not yet; one of an ended job is cancelled."""
        job = self._record.jobs.get(lease.job)
        if job is None or not job.state.ended:  # accepted only now, perhaps
            self._record.shards.release(lease, counts=False)
        else:
            self._record.shards.cancel(lease.job)

    def _loaded(self, job: Job, lease: Lease) -> bool:
        """Load what the job needs; a job whose networks can't be loaded again and again has failed."""
        try:
            self.load(job.versions, cascade=job.cascade is not None)
        except ServiceError as error:
            if not _is_careful(lease):
                raise
            _log.error("job failed: %s", error, extra={"job": job.id})
            self._record.jobs.fail(job.id, f"its networks can't be loaded: {error}")
            self._record.shards.cancel(job.id)
            return False
        return True

    def score_items(
        self, job: Job, leases: Sequence[Lease], heartbeat: Heartbeat
    ) -> list[ShardResult] | None:
        """Give every item of a shard, or of several together, an outcome or a rejection.

        Returns None when the leases were lost on the way.

        Parameters
        ----------
        job : whose versions, instrument and cascade are those of all shards.
        leases : several only where each was claimed for the first time.
        """
        return self._results(job, leases, heartbeat)

    def _results(
        self,
        job: Job,
        leases: Sequence[Lease],
        heartbeat: Heartbeat,
        *,
        prepared: Prepared | None = None,
        ahead: Ahead | None = None,
    ) -> list[ShardResult] | None:
        if _is_careful(leases[0]):
            return self._results_one_by_one(job, leases[0], heartbeat)
        prepared = prepared or self._prepared(job, leases)
        with self._ledger(job, leases, prepared.asked) as ledger:
            for landed in prepared.batches.scored(ahead):
                if heartbeat.lost:
                    return None
                ledger.add(*landed)
                if job.priority == "bulk":
                    self._serve_live()
            return ledger.close()

    def _results_one_by_one(self, job: Job, lease: Lease, heartbeat: Heartbeat) -> list[ShardResult] | None:
        asked = to_score(self._record, job, [lease])
        with self._ledger(job, [lease], asked) as ledger:
            for index, item in asked.items:
                with self._suspicion(lease, index):
                    for landed in self._batches(job, [(index, item)], asked.done).scored():
                        if heartbeat.lost:
                            return None
                        ledger.add(*landed)
                    ledger.flush()
                if job.priority == "bulk":
                    self._serve_live()
            return ledger.close()

    def _ledger(self, job: Job, leases: Sequence[Lease], asked: ToScore) -> ShardLedger:
        provenance = {"worker": self.worker, "engine": self._networks.engine}
        return ShardLedger(self._record, job, leases, rejections=asked.rejections, provenance=provenance)

    def _prepared(self, job: Job, leases: Sequence[Lease]) -> Prepared:
        """What there is to score of shards, which are not worked on carefully."""
        asked = to_score(self._record, job, leases)
        return Prepared(asked, self._batches(job, asked.items, asked.done))

    def _batches(self, job: Job, items: Sequence[tuple[int, Item]], done: Collection[str]) -> Batches:
        recipes = self._networks.recipes(job.versions)
        reading = self._readers[job.priority].read(items, recipes, job.instrument or ZTF)
        return Batches(self._networks, job, reading, done=done, size=self._batch, first=self._first)

    @contextmanager
    def _suspicion(self, lease: Lease, index: int) -> Iterator[None]:
        """Note that an item is worked on alone; it stays noted where the process dies of it, or fails on it.

        A record or a store that is away, and a lease that was lost, are not the item's doing.
        """
        self._record.shards.suspect(lease, index)
        try:
            yield
        except NOT_OF_AN_ITEM:
            self._outlived.append((lease, index))
            with suppress(PyMongoError):  # else before the next shard
                self._acquit()
            raise
        self._outlived.append((lease, index))
        self._acquit()

    def _acquit(self) -> None:
        """Put on record which items this process has outlived."""
        while self._outlived:
            self._record.shards.acquit(*self._outlived[-1])
            self._outlived.pop()

    def _serve_live(self) -> None:
        """Between two batches of a bulk shard, work on what people wait for, where the last look is old."""
        if self.draining or time.monotonic() - self._looked < LOOK_S:
            return
        self._looked = time.monotonic()
        if not self._record.shards.any_live():  # a claim, even of nothing, waits for the journal
            return
        refused: set[str] = set()
        while not self.draining and (leases := self._live.claim(passing_over=refused)):
            try:
                refused |= self._live.work(leases)
            except Exception:  # noqa: BLE001  leases run out; the bulk shard is not to suffer for it
                _log.exception("live shard failed", extra={"job": leases[0].job, "shards": len(leases)})
                refused |= {lease.job for lease in leases}


def _is_careful(lease: Lease) -> bool:
    """Whether workers have died of this shard, so that its items are worked on alone."""
    return lease.attempts > CAREFUL_AFTER
