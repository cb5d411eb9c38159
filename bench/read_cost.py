"""What it costs to read the results of a job, of any size."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import requests

from bench.local_service import LocalService
from cli.local.programs import ROOT

TIMES = 15
PAGE = 1000
READ_BYTES = 1 << 16


@dataclass(frozen=True)
class ReadCost:
    """Milliseconds are medians; microseconds are for each row, the CPU of all programs of the service.

    Parameters
    ----------
    job_ms : how the job is doing.
    first_page_ms, last_page_ms : of a thousand results, and whatever the last one holds.
    first_byte_ms, row_us, row_cpu_us : of the whole job as NDJSON over HTTP.
    command_row_us, command_row_cpu_us : of `./streaks results export` as CSV.
    command_mib : peak memory of that command.
    """

    job_ms: float
    first_page_ms: float
    last_page_ms: float
    first_byte_ms: float
    row_us: float
    row_cpu_us: float
    command_row_us: float
    command_row_cpu_us: float
    command_mib: int


def read_cost(local: LocalService, job: str, rows: int, *, folder: Path) -> ReadCost:
    """Read a job that has so many rows in each of these ways; raises RuntimeError where one lacks some."""
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {local.token()}"
    url = f"{local.service.url}/v1/jobs/{job}"
    found = session.get(url, timeout=60).json()
    last = f"{found['shards'] - 1}.0"

    def page_ms(cursor: str) -> float:
        asked: dict[str, str | int] = {"limit": PAGE, "cursor": cursor}
        return _median_ms(lambda: session.get(f"{url}/results", params=asked, timeout=60))

    before, began = _cpu_s(local), time.monotonic()
    with session.get(f"{url}/export", params={"format": "ndjson"}, stream=True, timeout=600) as answer:
        answer.raise_for_status()
        parts = answer.iter_content(READ_BYTES)
        lines = next(parts).count(b"\n")
        first_byte_ms = 1e3 * (time.monotonic() - began)
        lines += sum(part.count(b"\n") for part in parts)
    row_us, row_cpu_us = _each(began, before, local, rows)
    if lines != rows:
        raise RuntimeError(f"{lines:,} lines of NDJSON for {rows:,} rows")
    before, began = _cpu_s(local), time.monotonic()
    command_mib = _exported(local, job, rows, folder / "results.csv")
    command_row_us, command_row_cpu_us = _each(began, before, local, rows)
    return ReadCost(
        _median_ms(lambda: session.get(url, timeout=60)),
        page_ms("0.0"),
        page_ms(last),
        round(first_byte_ms, 1),
        row_us,
        row_cpu_us,
        command_row_us,
        command_row_cpu_us,
        command_mib,
    )


def _each(began: float, cpu_before: float, local: LocalService, rows: int) -> tuple[float, float]:
    """Microseconds of the wall and of the service's CPU since then, for each row."""
    wall, cpu = time.monotonic() - began, _cpu_s(local) - cpu_before
    return round(1e6 * wall / rows, 1), round(1e6 * cpu / rows, 1)


def _cpu_s(local: LocalService) -> float:
    return sum(local.cpu_s().values())


def _median_ms(ask: Callable[[], requests.Response]) -> float:
    """The median of several answers, each of which has to be a good one."""
    took = []
    for _ in range(TIMES):
        began = time.monotonic()
        ask().raise_for_status()
        took.append(1e3 * (time.monotonic() - began))
    return round(median(took), 1)


def _exported(local: LocalService, job: str, rows: int, out: Path) -> int:
    """Have the command line write a job's rows to a file; returns its peak memory in MiB."""
    arguments = ("results", "export", "--job", job, "--format", "csv", "-o", str(out))
    command = (sys.executable, "-m", "cli", "--server", local.service.url, *arguments)
    process = subprocess.Popen(command, env={**os.environ, "DA_TOKEN": local.token()}, cwd=ROOT)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)} ended with {process.returncode}")
    with out.open("rb") as file:
        lines = sum(1 for _ in file) - 1  # the header
    out.unlink()
    if lines != rows:
        raise RuntimeError(f"{lines:,} lines of CSV for {rows:,} rows")
    return used.ru_maxrss // 1024
