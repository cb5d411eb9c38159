"""What backlogs cost a whole service whose engines only pretend: CPU and seconds, for each cutout."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median

from bench.local_service import LocalService
from bench.untroubled import refuse_troubled
from cli.client import Client

TIMEOUT_S = 900.0


@dataclass(frozen=True)
class JobCost:
    """One job, or several of one size, one after the other.

    Parameters
    ----------
    answer_ms : from the request to the answer 202, the median.
    wall_us : from the answer to the job's end, for each cutout, the median.
    cpu_us : of each program from the first request until MongoDB has put all into its files, for each cutout.
    """

    cutouts: int
    jobs: int
    answer_ms: float
    wall_us: float
    cpu_us: dict[str, float]

    @property
    def cpu_sum_us(self) -> float:
        """Of all programs together."""
        return sum(self.cpu_us.values())

    def told(self) -> dict[str, object]:
        """As a report has it."""
        return asdict(self) | {"cpu_sum_us": round(self.cpu_sum_us, 1)}


def job_cost(
    local: LocalService, client: Client, jobs_nights: Sequence[Sequence[str]], count: int
) -> JobCost:
    """Rescore the nights of each job, of so many cutouts; raises RuntimeError where not all were scored."""
    _checkpoint(local)  # what was written before is not theirs
    before = local.cpu_s()
    jobs = [_scored(local, client, nights, count) for nights in jobs_nights]
    _checkpoint(local)
    used = {name: cpu - before[name] for name, cpu in local.cpu_s().items()}
    return JobCost(
        count,
        len(jobs),
        round(1e3 * median(answer_s for answer_s, _ in jobs), 1),
        round(1e6 * median(wall_s for _, wall_s in jobs) / count, 1),
        {name: round(1e6 * cpu / count / len(jobs), 1) for name, cpu in used.items()},
    )


def _checkpoint(local: LocalService) -> None:
    local.record.database.client.admin.command("fsync")


def _scored(local: LocalService, client: Client, nights: Sequence[str], count: int) -> tuple[float, float]:
    """Seconds to the answer, and from there to the job's end."""
    began = time.monotonic()
    job = str(client.jobs.submit_rescoring({"nights": list(nights)})["job"])
    answered = time.monotonic()
    local.wait(job, timeout_s=TIMEOUT_S)
    ended = time.monotonic()
    progress = local.record.shards.progress(job)
    if (progress.items, progress.scored) != (count, count):
        found = f"{progress.items:,} were planned, {progress.scored:,} scored"
        raise RuntimeError(f"of {count:,} cutouts {found}")
    refuse_troubled(local.record, job)
    return answered - began, ended - answered
