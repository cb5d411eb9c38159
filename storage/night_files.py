"""Which cutouts of a night have to be scored, and what became of those that came before."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from core.job import JobState
from storage.nights import NightCutout
from storage.record import Record

_AT_ONCE = 1000
_DROPPED = (JobState.CANCELLED, JobState.FAILED)


@dataclass
class SortedFiles:
    """Files of cutouts by what has to be done.

    Parameters
    ----------
    submit : to be scored: new, changed since they were rejected, or of a job that was cancelled or failed.
    known : scored already, by another job; they are new to the night.
    conflicts : their id is owned by other bytes; with the sha256 of those.
    unchanged : how many came before.
    earlier : the ended jobs that those to be submitted were in.
    """

    submit: list[NightCutout] = field(default_factory=list)
    known: list[NightCutout] = field(default_factory=list)
    conflicts: list[tuple[NightCutout, str]] = field(default_factory=list)
    unchanged: int = 0
    earlier: set[str] = field(default_factory=set)


def sort_files(record: Record, night: str, files: Sequence[NightCutout]) -> SortedFiles:
    """Sort a night's files; nothing is written."""
    found = SortedFiles()
    distinct = list({(file.id, file.sha256): file for file in files}.values())
    versions = record.models.production()
    for batch in _batches(distinct):
        before = record.nights.jobs_of(night, batch)
        dropped = _dropped(record, before.values())
        owners = {k: v.sha256 for k, v in record.cutouts.known([file.id for file in batch]).items()}
        owned = [file.id for file in batch if owners.get(file.id) == file.sha256]
        outcomes = record.outcomes.find(owned, versions)
        for file in batch:
            key, owner = (file.id, file.sha256), owners.get(file.id)
            if key in before and before[key] not in dropped:
                found.unchanged += 1
            elif owner not in (None, file.sha256):
                found.conflicts.append((file, str(owner)))
            elif owner is not None and all((file.id, version) in outcomes for version in versions):
                found.known.append(file)
            else:
                found.submit.append(file)
                found.earlier |= {job for job in [before.get(key)] if job is not None}
    return found


def _dropped(record: Record, jobs: Iterable[str | None]) -> set[str]:
    """Those of these jobs that will not score the rest of their files."""
    states = {job: record.jobs.get(job) for job in set(jobs) if job is not None}
    return {job for job, found in states.items() if found is None or found.state in _DROPPED}


def _batches(files: Sequence[NightCutout]) -> Iterator[list[NightCutout]]:
    rest = iter(files)
    while batch := list(islice(rest, _AT_ONCE)):
        yield batch
