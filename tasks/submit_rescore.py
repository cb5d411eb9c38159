"""Submitting a rescoring of cutouts that are on record."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.cascade import floor_of
from core.errors import InvalidRequest
from core.filters.grammar import MAX_COMPLETED
from core.instrument import Instrument
from core.job import Job, JobState, new_job_id
from cutouts.instruments import ZTF
from storage.record import Record
from storage.selection import bound_text, how_many, narrowed

RANKS = range(-100, 101)


@dataclass(frozen=True, kw_only=True)
class Rescoring:
    """Which cutouts are to be scored by which versions, and how it shares the workers.

    Parameters
    ----------
    selection : a filter; the empty one means every cutout.
    nights : of these only; none for all.
    lacking : leave out cutouts that have an outcome of every version already.
    instrument : whose cutouts are meant; those of others stay as they are.
    rank, share : as `core.job.Job` has them.
    cascade : as `Submitter.submit_score` takes it.
    """

    selection: str = ""
    nights: Sequence[str] = ()
    models: Sequence[str] = ()
    lacking: bool = True
    instrument: Instrument = ZTF
    rank: int = 0
    share: float | None = None
    cascade: float | None = None


@dataclass(frozen=True)
class Estimate:
    """What a rescoring would do. `seconds` is None where nothing was measured yet."""

    selection: str
    versions: tuple[str, ...]
    cutouts: int
    workers: int
    seconds: float | None


class RescoreSubmitter:
    """Records rescoring jobs; the planner makes their shards. `cascade` is what the settings say."""

    def __init__(self, record: Record, *, cascade: float | None = None) -> None:
        self._record, self._cascade = record, cascade

    def submit(
        self, wanted: Rescoring, *, owner: str, idempotency_key: str | None = None, fingerprint: str = ""
    ) -> Job:
        """Record a rescoring job, however many cutouts it means; it then survives the loss of any process.

        Raises InvalidRequest for a wrong filter or version, Conflict for a key used for other contents.
        """
        versions, selection = self._resolved(wanted)
        job = Job(
            new_job_id(),
            versions,
            "bulk",
            owner,
            items=0,
            shards=0,
            kind="rescore",
            state=JobState.PLANNING,
            instrument=wanted.instrument,
            selection=selection,
            rank=wanted.rank,
            share=wanted.share,
            cascade=floor_of(
                wanted.cascade,
                self._cascade,
                versions=versions,
                thresholds=self._record.models.thresholds(versions),
            ),
        )
        return self._record.jobs.accept(job, idempotency_key=idempotency_key, fingerprint=fingerprint)

    def estimate(self, wanted: Rescoring) -> Estimate:
        """Count the cutouts, and tell the time by the rate of the shards that were closed last."""
        versions, selection = self._resolved(wanted)
        cutouts = how_many(self._record, selection, instrument=wanted.instrument.name)
        workers = len(self._record.workers.ready())
        rate = self._record.shards.recent_rate()
        taken = workers if wanted.share is None else max(1, int(wanted.share * workers))
        seconds = cutouts / (rate * taken) if rate and workers else None
        return Estimate(selection, versions, cutouts, workers, seconds)

    def _resolved(self, wanted: Rescoring) -> tuple[tuple[str, ...], str]:
        if wanted.rank not in RANKS:
            raise InvalidRequest(f"rank is {wanted.rank}; expected {RANKS[0]} to {RANKS[-1]}")
        if wanted.share is not None and not 0 < wanted.share <= 1:
            raise InvalidRequest(
                f"share is {wanted.share}; expected a part of the workers, over 0 and up to 1"
            )
        versions = self._record.models.resolve(wanted.models)
        parts = [narrowed(self._record, wanted.selection, nights=wanted.nights)]
        if wanted.lacking:
            parts.append(" or ".join(f"lacks {version}" for version in versions))
        text = " and ".join(f"({part})" for part in parts if part)
        return versions, bound_text(self._record, text, longest=MAX_COMPLETED)
