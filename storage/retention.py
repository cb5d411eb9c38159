"""What may go after some days, and is removed by the sweeper, a little at a time. By default nothing is.

Each pass may die anywhere and be begun again: what is left is found by its age. What a label, a data set, a
night or an unfinished job needs stays, however old it is.
"""

import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pymongo.errors import ExecutionTimeout

from core.job import JobState
from core.legacy import is_legacy
from core.settings import Retention
from storage.record import Record

PASS_EVERY_S = 3600.0
_AT_ONCE = 1000
_JOBS_AT_ONCE = 50
_LOOK_MS = 60_000
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
        """Those of versions that were archived before, that no cutout shows and no unfinished job names."""
        database = self._record.database
        archived = database["models"].find({"stage": "archived", "moved.at": {"$lt": before}}, {"_id": True})
        for version in [str(document["_id"]) for document in archived]:
            if is_legacy(version.partition("@")[0]) or self._is_needed(version):
                continue
            while True:
                found = database["outcomes"].find({"_id.version": version}, {"_id": True}).limit(_AT_ONCE)
                keys = [document["_id"] for document in found]
                if not keys:
                    break
                yield database["outcomes"].delete_many({"_id": {"$in": keys}}).deleted_count
            yield 0

    def _is_needed(self, version: str) -> bool:
        database = self._record.database
        unfinished = {"state": {"$nin": _ENDED}, "versions": version}
        if database["jobs"].find_one(unfinished, {"_id": True}) is not None:
            return True
        shown = {f"scores.{version}": {"$exists": True}}
        try:
            return database["cutouts"].find_one(shown, {"_id": True}, max_time_ms=_LOOK_MS) is not None
        except ExecutionTimeout:
            _log.warning("outcomes stay: whether a cutout shows them takes too long", extra={"of": version})
            return True

    def _audit(self, before: datetime) -> Iterator[int]:
        audit = self._record.database["audit"]
        while True:
            found = audit.find({"at": {"$lt": before}}, {"_id": True}).limit(_AT_ONCE)
            keys = [document["_id"] for document in found]
            if not keys:
                return
            yield audit.delete_many({"_id": {"$in": keys}}).deleted_count

    def _old_logs(self, before: datetime) -> Iterator[int]:
        """Files that nobody has written to since."""
        for path in sorted(self._logs.glob("*.log*")):
            if path.stat().st_mtime < before.timestamp():
                path.unlink()
                yield 1
