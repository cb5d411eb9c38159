"""What was scored just now, held against saved queries: each match becomes a part of a message once."""

import logging
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pymongo.errors import ConnectionFailure, PyMongoError

from core.errors import CallerError
from core.job import Job
from core.settings import Notifications
from core.subscription import OWNERS, Subscription
from storage.database import Document
from storage.record import Record
from storage.selection import bound_text, matching

_log = logging.getLogger(__name__)
AT_ONCE = 10  # shards, of 2,000 cutouts at most, which are held in memory
IDLE_S = 2.0
LOOK_MS = 10_000
TRIES = 3  # of a look that fails for one subscription, before the others go on without it
_KEPT = ("night", "ra", "dec", "jd", "plausible")


class Announcer:
    """Follows closed shards and ended jobs. A round that was killed, or done twice, tells nobody twice."""

    def __init__(self, record: Record, settings: Notifications) -> None:
        self._record, self._settings = record, settings
        self._failures: Counter[str] = Counter()  # looks in a row, by subscription

    def run(self, stop: threading.Event) -> None:
        """Announce until told to stop; not at all where nothing is to be sent."""
        if not self._settings.send:
            _log.warning("subscribers are told nothing: notifications.send is false")
            return
        while not stop.is_set():
            try:
                if self.announce():
                    continue
            except PyMongoError as error:
                _log.warning("not announced, trying again: %s", type(error).__name__)
            except Exception:  # noqa: BLE001  the process lives on, and so must its announcer
                _log.exception("not announced, trying again")
            stop.wait(IDLE_S)

    def announce(self) -> int:
        """One round; returns how many shards and jobs it looked at."""
        shards = self._record.shards.untold(limit=AT_ONCE)
        jobs = self._record.jobs.untold(limit=AT_ONCE)
        if not shards and not jobs:
            return 0
        wanted = self._wanted()
        scored = self._scored(shards) if any(to.event == "matches" for to in wanted) else {}
        faults = [fault for to in wanted if (fault := self._tell(to, jobs, scored)) is not None]
        if faults:
            raise faults[0]  # the round is done again, and those who were told are not told twice
        if shards:
            self._record.shards.note_told(shards)
        if jobs:
            self._record.jobs.note_told([job.id for job in jobs])
        return len(shards) + len(jobs)

    def _tell(self, to: Subscription, jobs: Sequence[Job], scored: Mapping[str, str]) -> Exception | None:
        """Tell one of them; returns what went wrong with it, so that the others are told all the same."""
        try:
            if to.event == "jobs":
                self._tell_of_jobs(to, jobs)
            elif scored:
                self._tell_of_matches(to, scored)
        except ConnectionFailure:  # so it would be for all
            raise
        except Exception as error:  # noqa: BLE001
            return error
        return None

    def _scored(self, shards: Sequence[tuple[str, int]]) -> dict[str, str]:
        """The job that scored it just now, by cutout."""
        job_of: dict[str, str] = {}
        for job, n in shards:
            items = self._record.shards.items(job, n) or []
            job_of |= {str(item.cutout): job for item in items if item.cutout and item.rejection is None}
        return job_of

    def _wanted(self) -> list[Subscription]:
        """Those whose owner is there and may still have them."""
        may = self._record.accounts.may
        return [found for found in self._record.subscriptions.all() if may(found.owner, OWNERS)]

    def _tell_of_matches(self, to: Subscription, scored: Mapping[str, str]) -> None:
        try:
            matches = self._matches(to, scored)
        except CallerError as error:
            self._record.subscriptions.note_fault(to.id, str(error)[:500])
            return
        except ConnectionFailure:
            raise
        except Exception as error:
            self._failures[to.id] += 1
            if self._failures[to.id] < TRIES:
                raise
            _log.warning("a subscription is passed over", extra={"subscription": to.id}, exc_info=True)
            fault = f"its matches could not be looked for: {type(error).__name__}: {error}"
            self._record.subscriptions.note_fault(to.id, fault[:500])
            return
        self._failures.pop(to.id, None)
        if to.fault is not None:
            self._record.subscriptions.note_fault(to.id, None)
        self._announce(to, {cutout["_id"]: _match(cutout, scored[cutout["_id"]]) for cutout in matches})

    def _matches(self, to: Subscription, scored: Mapping[str, str]) -> list[Document]:
        """MongoDB narrows them first: most are none, and cost this process nothing."""
        only: Document = {"_id": {"$in": list(scored)}, "scores": {"$exists": True}}
        text = bound_text(self._record, to.filter)
        chunks = matching(self._record, text, only=only, slowest_ms=LOOK_MS)
        return [cutout for chunk in chunks for cutout in chunk.documents]

    def _tell_of_jobs(self, to: Subscription, jobs: Sequence[Job]) -> None:
        wanted = [job for job in jobs if to.everybodys or job.owner == to.owner]
        self._announce(to, {job.id: _ended(job) for job in wanted})

    def _announce(self, to: Subscription, entries: Mapping[str, Mapping[str, Any]]) -> None:
        mailed = to.channel == "mail"
        gather_s = self._settings.mail_gather_s if mailed else self._settings.gather_s
        new = self._record.deliveries.announce(to, entries, gather_s=gather_s) if entries else 0
        if new:
            _log.info("to be told", extra={"subscription": to.id, "entries": new})


def _match(cutout: Mapping[str, Any], job: str) -> dict[str, Any]:
    """What a subscriber is told of a cutout: its scores by exact version, where and when it was."""
    known = {key: cutout[key] for key in _KEPT if cutout.get(key) is not None}
    return {"id": cutout["_id"], "job": job, "scores": dict(cutout["scores"]), **known}


def _ended(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "kind": job.kind,
        "state": str(job.state),
        "owner": job.owner,
        "items": job.items,
        "failure": job.failure,
        "finished": None if job.finished is None else job.finished.isoformat(),
    }
