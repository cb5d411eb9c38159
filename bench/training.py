"""`python -m bench.training`: images/s of a training job against Keras's bare `fit`, side by side.

In alternating rounds, on as many images, with the same network and batch: a bare `fit` on arrays in memory,
and the epochs of a job that goes through the queue, each with its augmentation, validation, checkpoint in
the blob store and figures on record. All are warmed first. The verdict is on the median of the ratios.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from bench.local_service import LocalService, local_service
from bench.verdict import conclude
from cli.connection import local_client
from core.settings import Training
from models.training.preset_images import training_images

LIMIT = 0.95
POLL_S = 0.02
TIMEOUT_S = 3600.0
QUIET = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"}
PRESET = "rb-2018.9"
PRESET_CUTOUTS = 14_844


class BareTraining:
    """The bare `fit` in a process of its own, which waits while the job trains."""

    def __init__(self, arrays: Path, architecture: str, batch_size: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.bare_training", str(arrays), architecture, str(batch_size)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=QUIET,
        )
        self._read()

    def seconds(self, epochs: int) -> float:
        """Seconds for so many epochs."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{epochs}\n")
        self._process.stdin.flush()
        return float(self._read()["seconds"])

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _read(self) -> dict[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the bare training ended with {self._process.wait()}")
        answer: dict[str, float] = json.loads(line)
        return answer


def main() -> int:
    """Run the rounds; returns 0 when the promise is kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.training", description=__doc__)
    parser.add_argument("--architecture", default="vgg6")
    parser.add_argument("--count", type=int, default=4000, help="images of an epoch")
    parser.add_argument("--epochs", type=int, default=2, help="measured in each round, after a first one")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    # as large a share of validation cutouts as a job on the whole preset has
    validation = round(Training().validation_cutouts * args.count / PRESET_CUTOUTS)
    os.environ |= {
        "DA_TRAINING__VALIDATION_CUTOUTS": str(max(2, validation)),
        "DA_TRAINING__TEST_CUTOUTS": "100",
        "DA_TRAINING__BENCHMARK_CUTOUTS": "100",
        "DA_TRAINING__NICENESS": "0",
    }
    rounds = []
    with tempfile.TemporaryDirectory(prefix="deep-asteroids-training-") as scratch:
        folder = Path(scratch)
        data = training_images("rb", PRESET, count=args.count, seed=1)
        np.savez(folder / "arrays.npz", images=data.images, labels=data.labels)
        with local_service(folder / "service") as local:
            for n in range(args.rounds):
                bare = BareTraining(folder / "arrays.npz", args.architecture, args.batch_size)
                try:
                    bare_rate = len(data.images) * args.epochs / bare.seconds(args.epochs)
                finally:
                    bare.close()
                rates = {"bare": bare_rate, "job": len(data.images) * args.epochs / _job_seconds(local, args)}
                print(
                    f"round {n + 1}: {', '.join(f'{way} {r:.1f}/s' for way, r in rates.items())}",
                    file=sys.stderr,
                )
                rounds.append(rates)
    share = median(rates["job"] / rates["bare"] for rates in rounds)
    details: dict[str, object] = {
        "images/s, medians": {way: round(median(rates[way] for rates in rounds), 1) for way in rounds[0]},
        "ratios": [round(rates["job"] / rates["bare"], 3) for rates in rounds],
        "network": args.architecture,
        "images": len(data.images),
        "batch": args.batch_size,
    }
    return conclude(
        "training",
        f"a job trains at {100 * share:.1f} % of the bare fit",
        kept=share >= LIMIT,
        details=details,
        as_json=args.json,
    )


def _job_seconds(local: LocalService, args: argparse.Namespace) -> float:
    """Seconds from a job's first epoch on record to its last."""
    client = local_client(local.service.url, local.service.secrets_file)
    wanted = {
        "classifier": "rb",
        "dataset": PRESET,
        "architecture": args.architecture,
        "epochs": args.epochs + 1,
        "batch_size": args.batch_size,
        "count": args.count,
    }
    job = str(client.jobs.submit_training(wanted)["job"])
    first = _await_epoch(local, job, 1)
    last = _await_epoch(local, job, args.epochs + 1)
    local.wait(job, timeout_s=TIMEOUT_S)
    return last - first


def _await_epoch(local: LocalService, job: str, epoch: int) -> float:
    """The moment at which an epoch is on record."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        training = local.record.trainings.get(job)
        if training is not None and len(training.epochs) >= epoch:
            return time.monotonic()
        found = local.record.jobs.get(job)
        if found is not None and found.failure is not None:
            raise RuntimeError(f"job {job} failed: {found.failure}")
        time.sleep(POLL_S)
    raise TimeoutError(f"epoch {epoch} of job {job} is not on record after {TIMEOUT_S:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
