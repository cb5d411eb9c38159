"""A job of the service."""

import time
from collections.abc import Iterator

from deep_asteroids_client.connection import Connection, Json
from deep_asteroids_client.errors import JobFailed
from deep_asteroids_client.progress import ProgressBar, told
from deep_asteroids_client.results import job_table
from deep_asteroids_client.table import Table

_PAGE = 5000
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 1.0


class Job:
    """What was submitted, by its id."""

    def __init__(self, connection: Connection, job_id: str) -> None:
        self._connection = connection
        self.id = job_id

    def __repr__(self) -> str:
        return f"<job {self.id}>"

    def progress(self) -> Json:
        """The job as it is now: `state`, `items`, `scored`, `rejected`, `rate` and more."""
        return self._connection.ask("GET", f"/v1/jobs/{self.id}")

    def wait(self, *, progress: bool = True, timeout_s: float | None = None) -> "Job":
        """Wait until nothing more will happen to it, with a bar on standard error; returns the job.

        Raises JobFailed for one that failed or was cancelled, and TimeoutError, which leaves it going on.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        bar = ProgressBar(wanted=progress)
        pause_s = _FIRST_PAUSE_S
        while not _has_ended(job := self.progress()):
            bar.show(job)
            if deadline is not None and time.monotonic() + pause_s > deadline:
                raise TimeoutError(f"{told(job)}; it did not end within {timeout_s} s and goes on")
            time.sleep(pause_s)
            pause_s = min(1.3 * pause_s, _LONGEST_PAUSE_S)
        bar.show(job, last=True)
        if job["state"] in ("failed", "cancelled"):
            raise JobFailed(f"job {self.id} {job['state']}: {job['failure'] or 'somebody stopped it'}")
        return self

    def results(self) -> Iterator[Json]:
        """What came out, in the order of the items; what has no outcome yet is left out."""
        return self._connection.pages(f"/v1/jobs/{self.id}/results", "results", limit=_PAGE)

    def table(self) -> Table:
        """The same as a table."""
        return job_table(self.results())

    def cancel(self) -> Json:
        """Stop it; what is scored stays."""
        return self._connection.ask("DELETE", f"/v1/jobs/{self.id}")


def _has_ended(job: Json) -> bool:
    """Whether nothing more will happen; results are complete as soon as the last shard is closed."""
    ended = job["state"] in ("finished", "cancelled", "failed")
    return ended or (job["kind"] == "score" and job["shards_open"] == 0)
