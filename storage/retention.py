"""What may go after some days, and is removed by the sweeper, a little at a time. By default nothing is.

Each pass may die anywhere and be begun again: what is left is found by its age. What a label, a data set, a
night or an unfinished job needs stays, however old it is.
"""

import logging
import time
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.job import JobState
from core.legacy import is_legacy
from core.settings import Retention
from storage.database import Document
from storage.record import Record

PASS_EVERY_S = 3600.0
_AT_ONCE = 1000
_JOBS_AT_ONCE = 50
_LOOKED_AT = 10_000  # cutouts, in some 50 ms
_ENDED = [state for state in JobState if state.ended]
_log = logging.getLogger(__name__)


class RetentionKeeper:
    """Removes what is older than the settings let it be.

    Parameters
    ----------
    logs : the folder of the service's logs on this machine.
    now : for tests.
    """

    def __init__(
        self,
        record: Record,
        retention: Retention,
        *,
        logs: Path,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._record, self._retention, self._logs, self._now = record, retention, logs, now
        self._pass: Iterator[int] | None = None
        self._next = 0.0

    def step(self, *, for_s: float) -> int:
        """Go on with a pass for so long, or begin one when it is time; returns how many things it removed."""
        if self._pass is None:
            if not self._retention.any or time.monotonic() < self._next:
                return 0
            self._pass = self._all()
        end, removed = time.monotonic() + for_s, 0
        for some in self._pass:
            removed += some
            if time.monotonic() >= end:
                return removed
        self._pass, self._next = None, time.monotonic() + PASS_EVERY_S
        return removed

    def _all(self) -> Iterator[int]:
        parts = {
            "jobs": self._jobs,
            "outcomes": self._outcomes,
            "audit": self._audit,
            "logs": self._old_logs,
        }
        for what, part in parts.items():
            days = getattr(self._retention, f"{what}_days")
            if days is None:
                continue
            total = 0
            for removed in part(self._now() - timedelta(days=days)):
                total += removed
                yield removed
            if total:
                _log.info("removed by age", extra={"what": what, "removed": total, "days": days})

    def _jobs(self, before: datetime) -> Iterator[int]:
        """Jobs that ended before, with their shards and trainings, but for those that a night is told by."""
        jobs, files = self._record.database["jobs"], self._record.database["night_files"]
        after = ""
        while True:
            query = {"_id": {"$gt": after}, "state": {"$in": _ENDED}, "finished": {"$lt": before}}
            found = [d["_id"] for d in jobs.find(query, {"_id": True}).sort("_id", 1).limit(_JOBS_AT_ONCE)]
            if not found:
                return
            after = found[-1]
            needed = set(files.distinct("job", {"job": {"$in": found}}))
            needed |= self._record.trainings.unfinished(found)
            going = [job for job in found if job not in needed]
            for job in going:
                self._record.shards.remove(job)
                self._record.trainings.remove(job)
                jobs.delete_one({"_id": job})  # the last, by which what is left of it is found again
                yield 1
            yield 0

    def _outcomes(self, before: datetime) -> Iterator[int]:
        """Old ones of versions that were archived before, that no cutout shows and no unfinished job names.

        What holds of a version is asked again before each part: it may be promoted, or used, meanwhile.
        """
        for version, archived_at in self._archived(before).items():
            yield 0
            if is_legacy(version.partition("@")[0]) or self._is_needed(version, archived_at):
                continue
            if not self._old(version, before, limit=1) or (yield from self._is_shown(version)):
                continue
            while not self._is_needed(version, archived_at) and (
                keys := self._old(version, before, limit=_AT_ONCE)
            ):
                yield self._record.database["outcomes"].delete_many({"_id": {"$in": keys}}).deleted_count

    def _archived(self, before: datetime) -> dict[str, datetime]:
        """Since when the versions that were archived before are so.

        Earlier releases noted that of what a person archived alone: all others count from now.
        """
        models = self._record.database["models"]
        since: Document = {"archived_at": {"$ifNull": ["$moved.at", "$$NOW"]}}
        models.update_many({"stage": "archived", "archived_at": None}, [{"$set": since}])
        query = {"stage": "archived", "archived_at": {"$lt": before}}
        return {str(found["_id"]): found["archived_at"] for found in models.find(query)}

    def _is_needed(self, version: str, archived_at: datetime) -> bool:
        """Whether it isn't archived any more, or is so anew, or an unfinished job names it."""
        database = self._record.database
        same = {"_id": version, "stage": "archived", "archived_at": archived_at}
        unfinished = {"state": {"$nin": _ENDED}, "versions": version}
        if database["models"].find_one(same, {"_id": True}) is None:
            return True
        return database["jobs"].find_one(unfinished, {"_id": True}) is not None

    def _old(self, version: str, before: datetime, *, limit: int) -> list[Document]:
        query = {"_id.version": version, "at": {"$lt": before}}
        return [d["_id"] for d in self._record.database["outcomes"].find(query, {"_id": True}).limit(limit)]

    def _is_shown(self, version: str) -> Generator[int, None, bool]:
        """Whether a cutout shows a version's score. No index tells: they are gone through, some at a time."""
        cutouts, after, shown = self._record.database["cutouts"], "", {f"scores.{version}": {"$exists": True}}
        while True:
            rest = cutouts.find({"_id": {"$gt": after}}, {"_id": True}).sort("_id", 1)
            last = next(rest.skip(_LOOKED_AT - 1).limit(1), None)
            part = {"$gt": after} if last is None else {"$gt": after, "$lte": last["_id"]}
            if cutouts.find_one({"_id": part, **shown}, {"_id": True}) is not None:
                return True
            if last is None:
                return False
            after = last["_id"]
            yield 0

    def _audit(self, before: datetime) -> Iterator[int]:
        audit = self._record.database["audit"]
        while True:
            found = audit.find({"at": {"$lt": before}}, {"_id": True}).limit(_AT_ONCE)
            keys = [document["_id"] for document in found]
            if not keys:
                return
            yield audit.delete_many({"_id": {"$in": keys}}).deleted_count

    def _old_logs(self, before: datetime) -> Iterator[int]:
        """Those that were set aside: whatever runs, also in silence, has the others open."""
        for path in sorted(self._logs.glob("*.log.*")):
            if path.stat().st_mtime < before.timestamp():
                path.unlink()
                yield 1
