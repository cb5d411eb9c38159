"""`python -m bench.startup`: how long the command line, the API and a worker take until they are of use.

Seconds of the wall: `./streaks --help` to its end; the API from its process's start to the first answer of
/healthz; `python -m worker` on the CPU to its presence on record, when the networks are loaded, warmed and
have scored the canary: with graphs kept from an earlier start, and once without any.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import IO

import requests

from bench.await_that import await_that
from bench.local_service import LocalService, local_service
from bench.verdict import conclude
from cli.local.ports import free_port
from cli.local.programs import ROOT, Place, api_command, service_programs
from cli.local.supervisor import Program
from core.service_secrets import Secrets

HELP_S, API_S = 0.3, 2.0
TIMEOUT_S = 120.0
POLL_S = 0.01


def main() -> int:
    """Measure; returns 0 when the promises are kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.startup", description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    helps = [_help_s() for _ in range(args.times)]
    with tempfile.TemporaryDirectory(prefix="deep-asteroids-startup-") as scratch:
        env: dict[str, str] = {}

        def programs(place: Place, secrets: Secrets) -> Sequence[Program]:
            env.update(place.environment())
            return [one for one in service_programs(place, secrets) if one.name == "api"]

        with local_service(Path(scratch) / "service", programs=programs) as local:
            apis = [_api_s(env) for _ in range(args.times)]
            env["DA_SCORING__GRAPHS_DIR"] = str(Path(scratch) / "graphs")
            cold, *warm = [_worker_s(env, local) for _ in range(1 + args.times)]
    details: dict[str, object] = {
        "./streaks --help, each": [round(seconds, 3) for seconds in helps],
        "API to its first answer, each": [round(seconds, 2) for seconds in apis],
        "worker to ready, each": [round(seconds, 2) for seconds, _ in warm],
        "its stages, medians": {s: round(median(took[s] for _, took in warm), 2) for s in warm[0][1]},
        "worker to ready, no graph kept": round(cold[0], 2),
        "its stages": cold[1],
    }
    told, first, ready = median(helps), median(apis), median(seconds for seconds, _ in warm)
    figure = (
        f"--help {told:.2f} s (at most {HELP_S}), API to its first answer {first:.2f} s (at most {API_S:g}); "
        f"worker to ready {ready:.1f} s, {cold[0]:.1f} s where no graph is kept"
    )
    return conclude(
        "startup", figure, kept=told < HELP_S and first < API_S, details=details, as_json=args.json
    )


def _help_s() -> float:
    began = time.monotonic()
    subprocess.run([str(ROOT / "streaks"), "--help"], stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - began


def _api_s(env: dict[str, str]) -> float:
    port = free_port()
    began = time.monotonic()
    process = subprocess.Popen(api_command("127.0.0.1", port), env=env, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        while time.monotonic() - began < TIMEOUT_S:
            try:
                if requests.get(f"http://127.0.0.1:{port}/healthz", timeout=5).ok:
                    return time.monotonic() - began
            except requests.ConnectionError:
                time.sleep(POLL_S)
        raise TimeoutError(f"the API gives no answer after {TIMEOUT_S:.0f} s")
    finally:
        process.terminate()
        process.wait(30)


def _worker_s(env: dict[str, str], local: LocalService) -> tuple[float, dict[str, float]]:
    """Seconds to ready, and of each stage: `before` is until the scoring process's own code begins."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "worker"], env=env, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=said
        )
        try:
            await_that(lambda: bool(local.record.workers.ready()), "a worker that is ready")
            seconds = time.monotonic() - began
            await_that(lambda: _stages(said) is not None, "what its stages took", patience_s=TIMEOUT_S)
        finally:
            process.terminate()
            process.wait(60)
        took = _stages(said) or {}
    return seconds, {"before": round(seconds - sum(took.values()), 3)} | took


def _stages(said: IO[bytes]) -> dict[str, float] | None:
    """What the line of a worker that is ready tells; None while it is not there."""
    said.seek(0)
    for line in said.read().splitlines():
        if line.startswith(b"{") and b'"took_s"' in line:
            told: dict[str, float] = json.loads(line)["took_s"]
            return told
    return None


if __name__ == "__main__":
    sys.exit(main())
