"""`python -m bench.throughput`: what the queue costs, for the pair of 2018 ResNet50s (random weights do).

In alternating rounds, on the same cutouts, batch and threads: the engine from memory (the bare compiled
networks), the whole service from an accepted job to the finished one, and Keras's own `predict`. All are
warmed first. The verdict is on the median of the rounds' ratios.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np

from bench.cutout_files import jpegs, write_zip
from bench.local_service import LocalService, local_service
from bench.process_tree import peak_mib, process_tree
from bench.verdict import conclude
from cli.local.embedded import EmbeddedServer
from core.settings import Scoring
from cutouts.decode import decode
from storage.model_registry import read_card

VERSIONS = ("rb@9001", "sl@9001")
COST_LIMIT = 0.10
PREDICT_LIMIT = 1.25
QUIET = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"}
_MAKE_BUNDLES = """
import sys, keras
from pathlib import Path
from models.architectures import build
from models.bundle import write_bundle
for seed, version in enumerate(sys.argv[2:]):
    keras.utils.set_random_seed(seed)
    folder = Path(sys.argv[1]) / version.replace("@", "-")
    write_bundle(folder, build("resnet50"), version=version, architecture="resnet50", dtype="float32")
"""


class BareEngine:
    """The engine in a process of its own, which waits while the service runs."""

    def __init__(self, bundles: Path, pixels: Path, batch: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.bare_engine", str(bundles), str(pixels), str(batch)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=QUIET,
        )
        self.peak_mib = 0
        self._read()

    def seconds(self, way: str, first: int, last: int) -> float:
        """Seconds for these rows, by "engine" or by "predict"."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{way} {first} {last}\n")
        self._process.stdin.flush()
        answer = self._read()
        self.peak_mib = int(str(answer["peak_mib"]))
        return float(str(answer["seconds"]))

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _read(self) -> dict[str, object]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the bare engine ended with {self._process.wait()}")
        answer: dict[str, object] = json.loads(line)
        return answer


def main() -> int:
    """Run the rounds; returns 0 when the promise is kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.throughput", description=__doc__)
    parser.add_argument("--cutouts", type=int, default=256, help="in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    batch = max(Scoring().batch_sizes)
    with tempfile.TemporaryDirectory(prefix="deep-asteroids-throughput-") as scratch:
        folder = Path(scratch)
        files = jpegs(args.cutouts * (args.rounds + 1), seed=7)
        np.save(folder / "pixels.npy", np.stack([decode(data) for _, data in files]))
        bundles = folder / "bundles"
        subprocess.run([sys.executable, "-c", _MAKE_BUNDLES, str(bundles), *VERSIONS], check=True, env=QUIET)
        bare = BareEngine(bundles, folder / "pixels.npy", batch)
        try:
            with local_service(folder / "service") as local:
                _register(local, bundles)
                rounds = []
                for n in range(args.rounds + 1):
                    first, last = n * args.cutouts, (n + 1) * args.cutouts
                    archive = write_zip(folder / f"{n}.zip", files[first:last])
                    rates = {
                        "engine": args.cutouts / bare.seconds("engine", first, last),
                        "service": args.cutouts / _service_seconds(local, archive),
                        "predict": args.cutouts / bare.seconds("predict", first, last),
                    }
                    print(f"round {n}: {_told(rates)}", file=sys.stderr)
                    rounds.append(rates)
                peaks = _peaks(local) | {"bare engine": bare.peak_mib}
        finally:
            bare.close()
    return _conclude(rounds[1:], peaks, as_json=args.json)  # round 0 warms all three


def _conclude(rounds: list[dict[str, float]], peaks: dict[str, int], *, as_json: bool) -> int:
    cost = 1 - median(rates["service"] / rates["engine"] for rates in rounds)
    gain = median(rates["engine"] / rates["predict"] for rates in rounds)
    medians = {way: round(median(rates[way] for rates in rounds), 2) for way in rounds[0]}
    details: dict[str, object] = {
        "cutouts/s, medians": medians,
        "rounds": [{way: round(rate, 2) for way, rate in rates.items()} for rates in rounds],
        "peak MiB": peaks,
    }
    figure = (
        f"the queue costs {cost:.1%} of the bare engine (at most {COST_LIMIT:.0%}); "
        f"the engine runs at {gain:.2f} x predict (at least {PREDICT_LIMIT})"
    )
    kept = cost <= COST_LIMIT and gain >= PREDICT_LIMIT
    return conclude("throughput", figure, kept=kept, details=details, as_json=as_json)


def _register(local: LocalService, bundles: Path) -> None:
    for path in bundles.glob("*/card.json"):
        local.record.models.register(read_card(path), (path.parent / "weights.npz").read_bytes())


def _service_seconds(local: LocalService, archive: Path) -> float:
    """Seconds from the job's acceptance to its end, by the record."""
    job = local.wait(local.submit(archive, models=",".join(VERSIONS)), timeout_s=900)
    if job.created is None or job.finished is None:
        raise RuntimeError(f"job {job.id} has no times on record")
    return (job.finished - job.created).total_seconds()


def _peaks(local: LocalService) -> dict[str, int]:
    """Peak resident memory of each process of the service, in MiB."""
    peaks = {
        name if n == 0 else f"{name}/{n}": peak_mib(pid)
        for name, process in local.service.record.processes.items()
        for n, pid in enumerate(process_tree(process.pid))
    }
    return peaks | {
        server.name: peak_mib(_pid(server)) for server in (local.servers.mongo, local.servers.redis)
    }


def _pid(server: EmbeddedServer) -> int:
    if server.process is None:
        raise RuntimeError(f"{server.name} does not run")
    return server.process.pid


def _told(rates: dict[str, float]) -> str:
    return ", ".join(f"{way} {rate:.1f}/s" for way, rate in rates.items())


if __name__ == "__main__":
    sys.exit(main())
