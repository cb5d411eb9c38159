"""What a person asked for, and the parts of it that tasks work on."""

import secrets
import time
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from core.instrument import Instrument

Priority = Literal["live", "bulk"]
JobKind = Literal["score", "train", "rescore"]


class JobState(StrEnum):
    """The life of a job: accepted, or planned while it is worked on, running, then one of the three ends."""

    ACCEPTED = "accepted"
    PLANNING = "planning"
    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self in (JobState.FINISHED, JobState.CANCELLED, JobState.FAILED)


@dataclass(frozen=True)
class Rejection:
    """Why a cutout got no score: a stage, a stable word for programs, a sentence for people."""

    stage: str
    reason: str
    detail: str


@dataclass(frozen=True)
class Item:
    """One entry of a job. Two items may be one cutout: the same bytes under two names.

    Parameters
    ----------
    name : what the caller called it; shown, never used as a path.
    cutout : the cutout's id; None for a reference whose bytes have to be read first.
    sha256 : of the bytes; None for a reference that has not been read.
    reference : where the bytes are, an fsspec URL; None when they are in the blob store.
    rejection : set when this item, and not the cutout's content, is at fault.
    """

    name: str
    cutout: str | None = None
    sha256: str | None = None
    reference: str | None = None
    rejection: Rejection | None = None


@dataclass(frozen=True)
class Job:
    """A job. One that scores has the exact versions it uses, and how many items; one that trains has none.

    Parameters
    ----------
    items, shards : of a rescoring job, known once it is planned.
    instrument : the profile that its cutouts are read by, as it was when the job was accepted.
    selection : of a rescoring job, the filter of its cutouts, which names exact versions.
    rank : of the jobs of one priority, those with a higher rank are worked on first.
    share : of the workers, that it may take at a time, 0 to 1; None for all.
    paused : nobody begins with more of it.
    cascade : the score of rb below which no other family is asked; None where all are.
    """

    id: str
    versions: tuple[str, ...]
    priority: Priority
    owner: str
    items: int
    shards: int
    state: JobState = JobState.ACCEPTED
    created: datetime | None = None
    started: datetime | None = None
    failure: str | None = None
    finished: datetime | None = None
    kind: JobKind = "score"
    instrument: Instrument | None = None
    selection: str | None = None
    rank: int = 0
    share: float | None = None
    paused: bool = False
    cascade: float | None = None


@dataclass(frozen=True)
class Lease:
    """The right to work on one shard until it expires, proved by its token.

    `suspects` counts, by item, how often a worker ended while it worked on this item alone.
    """

    job: str
    n: int
    token: str
    attempts: int
    items: tuple[Item, ...]
    suspects: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ShardResult:
    """What closing a shard records: counts, and what was learnt of single items by their index."""

    scored: int
    rejected: int
    cutouts: dict[int, tuple[str, str]] = field(default_factory=dict)
    rejections: dict[int, Rejection] = field(default_factory=dict)


@dataclass(frozen=True)
class Progress:
    """Counted from the shards: items by what became of them."""

    items: int
    scored: int
    rejected: int
    shards_open: int

    @property
    def done(self) -> int:
        """Items with an outcome."""
        return self.scored + self.rejected


JOB_ID = r"[0-9a-f]{21}"
"""What an id looks like: a pattern."""


def new_job_id() -> str:
    """A new id, 21 hex digits, that sorts by time (milliseconds) and can't be guessed."""
    return f"{time.time_ns() // 1_000_000:011x}{secrets.token_hex(5)}"
