"""Submitting: from items whose bytes are safe to a job that is a promise."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace

from core.cascade import floor_of
from core.errors import Conflict, InvalidRequest, Unavailable
from core.instrument import DEFAULT_INSTRUMENT, Instrument
from core.job import Item, Job, Priority, new_job_id
from core.settings import Scoring
from cutouts.instruments import ZTF
from cutouts.names import content_id
from storage.cutouts import CutoutRecord
from storage.record import Record
from tasks.messenger import Messenger

_log = logging.getLogger(__name__)
TOLD_AT_ONCE = 500  # the sweeper tells of the rest as the queue drains


class Submitter:
    """Makes the record of a job safe, then tells the workers."""

    def __init__(self, record: Record, messenger: Messenger, scoring: Scoring) -> None:
        self._record, self._messenger, self._scoring = record, messenger, scoring

    def submit_score(
        self,
        items: Sequence[Item],
        *,
        owner: str,
        models: Sequence[str] = (),
        priority: Priority | None = None,
        instrument: Instrument = ZTF,
        cascade: float | None = None,
        idempotency_key: str | None = None,
        fingerprint: str = "",
    ) -> Job:
        """Record a scoring job and tell the workers of it; on return it survives the loss of any process.

        Parameters
        ----------
        items : whose bytes are in the blob store, or that keep a reference.
        models : versions as a caller names them; none for production.
        priority : none for live up to the size that the settings give, bulk above.
        instrument : whose cutouts they are; those of others than the default are known by their content
            alone, whatever streak id their names seem to hold.
        cascade : the score of rb below which no other family is asked; none for the settings', 0 for none.
        idempotency_key, fingerprint : a repeated key with the same fingerprint returns the first job.

        Raises InvalidRequest for no items, an unknown version or a cascade that can't be, Conflict for a key
        used for other contents.
        """
        if not items:
            raise InvalidRequest("the job holds no cutouts; expected at least one JPEG, PNG or FITS file")
        versions = self._record.models.resolve(models)
        floor = floor_of(
            cascade,
            self._scoring.cascade,
            versions=versions,
            thresholds=self._record.models.thresholds(versions),
        )
        queue: Priority = priority or ("live" if len(items) <= self._scoring.live_below else "bulk")
        job_id = new_job_id()
        named = [_of_instrument(item, instrument.name) for item in items]
        shards = self._record.shards.insert(job_id, self._registered(named), priority=queue)
        wanted = Job(
            job_id,
            versions,
            queue,
            owner,
            items=len(items),
            shards=shards,
            instrument=instrument,
            cascade=floor,
        )
        try:
            job = self._record.jobs.accept(wanted, idempotency_key=idempotency_key, fingerprint=fingerprint)
        except Conflict:
            self._record.shards.remove(job_id)
            raise
        if job.id != job_id:
            self._record.shards.remove(job_id)
            return job
        self._tell(job)
        return job

    def _registered(self, items: Sequence[Item]) -> Iterator[list[Item]]:
        """Shards of items whose cutouts are on record. Which bytes own a streak id, the worker finds out."""
        for start in range(0, len(items), self._scoring.shard_size):
            shard = items[start : start + self._scoring.shard_size]
            records = [
                CutoutRecord(item.cutout, item.sha256, item.reference)
                for item in shard
                if item.cutout is not None and item.rejection is None
            ]
            self._record.cutouts.announce(records)
            yield list(shard)

    def _tell(self, job: Job) -> None:
        shards = [(job.id, n) for n in range(min(job.shards, TOLD_AT_ONCE))]
        try:
            self._messenger.tell(shards, job.priority)
            self._record.shards.mark_told(shards)
        except Unavailable as error:
            _log.warning("not told, the sweeper will: %s", error, extra={"job": job.id})


def _of_instrument(item: Item, instrument: str) -> Item:
    if instrument == DEFAULT_INSTRUMENT:
        return item
    return replace(item, cutout=content_id(item.sha256, instrument) if item.sha256 else None)
