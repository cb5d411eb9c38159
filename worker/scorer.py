"""Works on one shard: claim, read, score in batches, write outcomes once, close."""

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import partial
from itertools import islice

import numpy as np
from pymongo.errors import PyMongoError

from core.cascade import gates, is_below
from core.errors import InvalidRequest, Misconfigured, ServiceError
from core.job import Item, Job, Lease, Priority, Rejection, ShardResult
from core.outcome import Outcome
from core.settings import Scoring
from core.telemetry import logged_about
from cutouts.instruments import ZTF
from cutouts.recipes import RECIPES
from storage.cutouts import CutoutRecord
from storage.record import Record
from worker.engine import Engine, begin
from worker.heartbeat import Heartbeat
from worker.ledger import Scored, ShardLedger, conflict
from worker.live import NOT_OF_AN_ITEM, LiveShards
from worker.metrics import timed
from worker.reader import Reader, Reading, ReadItem

_log = logging.getLogger(__name__)
VERSIONS_HELD = 6
LOOK_S = 0.1  # between two looks for live work, so that a fast device does not wait for each
CAREFUL_AFTER = 3  # claims of a shard that nobody closed; then its cutouts are scored one by one
DEATHS_OF_POISON = 2


class ShardScorer:
    """The scorer of this process: one engine, one shard at a time, live ones in between.

    Attributes
    ----------
    draining : whether it is to finish the shard at hand and to take no other.
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
        self._record, self._engine, self._readers = record, engine, readers
        self._settings, self.worker = settings, worker
        self._batch = max(settings.batch_sizes)
        self._live = LiveShards(record, self, batch=self._batch, heartbeat_s=settings.heartbeat_s)
        self._recipes: dict[str, str] = {}
        self._warm: set[frozenset[str]] = set()
        self._looked = 0.0
        self._outlived: list[tuple[Lease, int]] = []  # items that are to be acquitted
        self.scored = 0
        self.draining = False

    def load(self, versions: Sequence[str], *, cascade: bool = False) -> None:
        """Hold and warm these versions, dropping the longest held where there are too many.

        Those of a cascade are warmed apart: the gates, which are asked of every cutout, and the others.
        """
        missing = [version for version in versions if version not in self._engine.versions]
        for version in missing:
            card = self._record.models.get(version)
            if card is None:
                raise InvalidRequest(f"model version {version} is not registered")
            if card.recipe not in RECIPES:
                raise Misconfigured(f"{version} wants the recipe {card.recipe}; known: {', '.join(RECIPES)}")
            self._engine.load(card, self._record.models.weights(card))
            self._recipes[version] = card.recipe
        for version in self._engine.versions[: max(0, len(self._engine.versions) - VERSIONS_HELD)]:
            if version not in versions:
                self._engine.drop(version)
                self._warm = {one for one in self._warm if version not in one}
        for together in _waves(versions) if cascade else [versions]:
            if frozenset(together) not in self._warm:
                self._engine.warm(together)
                self._warm.add(frozenset(together))

    def score_shard(self, job: str, n: int) -> None:
        """Score the live shard that a message names, or the bulk shard whose turn it is.

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
        passing_over = self._sated()
        while not self.draining and (
            lease := self._record.shards.claim_waiting("bulk", worker=self.worker, passing_over=passing_over)
        ):
            if self.work(lease):
                return
            passing_over.add(lease.job)

    def _sated(self) -> set[str]:
        """Jobs that have as many workers as they may take: their share of those there are, at least one."""
        shares = self._record.jobs.shares()
        workers = len(self._record.workers.ready()) if shares else 0
        return {
            job
            for job, share in shares.items()
            if self._record.shards.leased(job) >= max(1, math.floor(share * workers))
        }

    def work(self, lease: Lease) -> bool:
        """Work on a shard; False when there was nothing to do."""
        with logged_about(job=lease.job, shard=lease.n, worker=self.worker):
            return self._worked(lease)

    def _worked(self, lease: Lease) -> bool:
        job = self._record.jobs.start(lease.job)
        if job is None:
            self.give_back(lease)
            return False
        renew = partial(self._record.shards.renew, lease)
        name = f"{lease.job}-{lease.n}"
        with Heartbeat(renew, every_s=self._settings.heartbeat_s, name=name) as heartbeat:
            if not self._loaded(job, lease):
                return False
            results = self.score_items(job, [lease], heartbeat)
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
        lease = leases[0]
        every = (item for one in leases for item in one.items)
        items: dict[int, Item] = {i: item for i, item in enumerate(every) if item.rejection is None}
        known = self._record.outcomes.existing(_cutouts(items.values()), job.versions)
        done = {cutout for cutout, _ in known if all((cutout, v) in known for v in job.versions)}
        done |= self._below_on_record(job, known)
        unread = {i for i, item in items.items() if _is_unread(item) or item.cutout not in done}
        rejections = {i: why for i, why in _poison(lease).items() if i in unread}
        rejections |= self._contradicting(items, done)
        todo = [(i, item) for i, item in items.items() if i in unread and i not in rejections]
        provenance = {"worker": self.worker, "engine": self._engine.name}
        provenance |= {"precision": self._engine.precision}
        with ShardLedger(self._record, job, leases, rejections=rejections, provenance=provenance) as ledger:
            careful = _is_careful(lease)
            for part in [[pair] for pair in todo] if careful else [todo]:
                with self._suspicion(lease, part[0][0]) if careful else nullcontext():
                    for batch, scores in self._scored(job, part, done):
                        if heartbeat.lost:
                            return None
                        ledger.add(batch, scores)
                        if job.priority == "bulk" and not careful:
                            self._serve_live()
                    if careful:
                        ledger.flush()
                if job.priority == "bulk":
                    self._serve_live()
            return ledger.close()

    def _below_on_record(self, job: Job, known: Collection[tuple[str, str]]) -> set[str]:
        """Cutouts that a cascade asks nothing more of, by the scores of its gates that are on record."""
        if job.cascade is None:
            return set()
        open_ = {c for c, _ in known if any((c, v) not in known for v in job.versions)}
        found: dict[str, dict[str, Outcome]] = {}
        for (cutout, version), outcome in self._record.outcomes.find(open_, gates(job.versions)).items():
            found.setdefault(cutout, {})[version] = outcome
        below: dict[str, list[Outcome]] = {}
        for cutout, outcomes in found.items():
            scores = {v: o.score for v, o in outcomes.items() if o.score is not None}
            if is_below(scores, job.versions, job.cascade):
                not_run = {v: job.cascade for v in job.versions if (cutout, v) not in known}
                below[cutout] = [replace(o, not_run=not_run) for o in outcomes.values()]
        self._record.outcomes.note_not_run(one for outcomes in below.values() for one in outcomes)
        return set(below)

    def _contradicting(self, items: Mapping[int, Item], done: Collection[str]) -> dict[int, Rejection]:
        """Uploads of scored cutouts, which are not read again, whose bytes are not those that were scored."""
        uploads = {
            i: CutoutRecord(item.cutout, item.sha256)
            for i, item in items.items()
            if item.cutout in done and item.cutout != item.sha256 and item.reference is None and item.cutout
        }
        owners = self._record.cutouts.conflicts(list(uploads.values())) if uploads else {}
        return {
            i: conflict(str(upload.sha256), owners[upload.id])
            for i, upload in uploads.items()
            if owners.get(upload.id, upload.sha256) != upload.sha256
        }

    def _scored(
        self, job: Job, todo: Sequence[tuple[int, Item]], done: Collection[str]
    ) -> Iterator[tuple[list[ReadItem], Scored]]:
        """What was read, in batches, each with its scores.

        Of a bulk shard the engine has the next batch before this one is put on record, where its pixels
        are there by then: it waits for nothing, and nothing waits for a source that is slow.
        """
        ahead = int(job.priority == "bulk" and job.cascade is None)
        flying: deque[tuple[list[ReadItem], Callable[[], Scored]]] = deque()
        with closing(self._reading(job, todo)) as reading:
            while True:
                if flying and (len(flying) > ahead or not reading.is_ready(self._batch)):
                    batch, landed = flying.popleft()
                    yield batch, landed()
                    continue
                with timed("wait"):
                    batch = list(islice(reading, self._batch))
                if not batch:
                    break
                flying.append((batch, self._begun(job, batch, done)))
        for batch, landed in flying:
            yield batch, landed()

    def _reading(self, job: Job, todo: Sequence[tuple[int, Item]]) -> Reading:
        recipes = sorted({self._recipes[version] for version in job.versions})
        return self._readers[job.priority].read(todo, recipes, job.instrument or ZTF)

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

    def _begun(self, job: Job, batch: Sequence[ReadItem], done: Collection[str]) -> Callable[[], Scored]:
        """Have the engine begin what can be scored of a batch and is not done; returns what waits for it."""
        floor = job.cascade
        self.load(job.versions, cascade=floor is not None)  # a live shard between may have needed others
        readable = [read for read in batch if read.pixels and read.cutout not in done]
        if floor is None:
            return self._asked(job.versions, readable)
        scores: dict[int, dict[str, float]] = {}
        for wave in _waves(job.versions):
            for index, more in self._asked(wave, readable)().items():
                scores.setdefault(index, {}).update(more)
            readable = [r for r in readable if not is_below(scores[r.index], wave, floor)]
        return lambda: scores

    def _asked(self, versions: Sequence[str], reads: Sequence[ReadItem]) -> Callable[[], Scored]:
        """Ask these versions; returns what waits for their answers."""
        begun = [
            (together, begin(self._engine, np.stack([read.pixels[recipe] for read in reads]), together))
            for recipe, together in (self._by_recipe(versions).items() if reads else ())
        ]

        def answers() -> Scored:
            scores: dict[int, dict[str, float]] = {read.index: {} for read in reads}
            for together, awaited in begun:
                for read, row in zip(reads, awaited().tolist(), strict=True):
                    scores[read.index] |= zip(together, row, strict=True)
            return scores

        return answers

    def _by_recipe(self, versions: Sequence[str]) -> dict[str, list[str]]:
        grouped: dict[str, list[str]] = {}
        for version in versions:
            grouped.setdefault(self._recipes[version], []).append(version)
        return grouped

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


def _waves(versions: Sequence[str]) -> list[list[str]]:
    """The gates of a cascade, and then the others."""
    first = gates(versions)
    return [first, [version for version in versions if version not in first]]


def _is_careful(lease: Lease) -> bool:
    """Whether workers have died of this shard, so that its items are worked on alone."""
    return lease.attempts > CAREFUL_AFTER


def _is_unread(item: Item) -> bool:
    """Whether it is a reference of which nobody knows yet what it refers to."""
    return item.reference is not None and item.sha256 is None


def _cutouts(items: Iterable[Item]) -> set[str]:
    return {item.cutout for item in items if item.cutout is not None}


def _poison(lease: Lease) -> dict[int, Rejection]:
    """The items that workers died of; the rest of the shard is to be scored without them."""
    detail = "the scoring process died or failed on it, alone, {} times; expected a score"
    return {
        index: Rejection("score", "poison", detail.format(deaths))
        for index, deaths in lease.suspects.items()
        if deaths >= DEATHS_OF_POISON
    }
