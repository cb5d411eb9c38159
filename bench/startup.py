"""`python -m bench.startup`: how long the command line and the API take until they are of use.

Seconds of the wall: `./streaks --help` to its end; the API from its process's start to the first answer of
/healthz.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import requests

from bench.local_service import local_service
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

        with local_service(Path(scratch), programs=programs):
            apis = [_api_s(env) for _ in range(args.times)]
    details: dict[str, object] = {
        "./streaks --help, each": [round(seconds, 3) for seconds in helps],
        "API to its first answer, each": [round(seconds, 2) for seconds in apis],
    }
    told, first = median(helps), median(apis)
    figure = (
        f"--help {told:.2f} s (at most {HELP_S}), API to its first answer {first:.2f} s (at most {API_S:g})"
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


if __name__ == "__main__":
    sys.exit(main())
