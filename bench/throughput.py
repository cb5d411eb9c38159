"""`python -m bench.throughput`: what the queue costs, for the pair of 2018 ResNet50s (random weights do).

A backlog is scored by the whole service from packs and from files, in turn, and before and after each of
these runs the engine alone scores the same cutouts from memory: the bare compiled networks, on the same
batch and threads. A backlog's time is from the first claim to the job's end; its cost is against the mean of
the two bare runs beside it. Keras's own `predict` follows. A first round warms all of them. The files of
what is read from packs are gone, so that nothing else can be read.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np

from bench.backlog import put_on_record
from bench.cutout_files import jpegs
from bench.local_service import LocalService, local_service
from bench.process_tree import peak_mib, process_tree
from bench.verdict import conclude
from cli.connection import local_client
from core.settings import Scoring, Settings
from cutouts.decode import decode
from cutouts.recipes import RECIPES
from storage.blobs import sha256_of
from storage.model_registry import read_card
from worker.packer import Packer
from worker.readers import decode_limits, open_reader

VERSIONS = ("rb@9001", "sl@9001")
LIMITS = {"packs": 0.05, "files": 0.10}
PREDICT_LIMIT = 1.25
PREDICT_PART = 4  # of the cutouts it gets one in so many
FIRST_DAY = 700
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


@dataclass(frozen=True)
class Bare:
    """Seconds that a run of the engine alone took, and milliseconds of CPU per cutout."""

    seconds: float
    cpu_ms: float


@dataclass(frozen=True)
class Backlog:
    """How a backlog was scored.

    Parameters
    ----------
    seconds : from the first claim to the job's end.
    waited_s : from the job's acceptance to the first claim.
    shards : their sizes.
    between_ms : from the end of each shard to the claim of the next one.
    cpu_ms : of each program, per cutout, from the job's acceptance.
    """

    seconds: float
    waited_s: float
    shards: list[int]
    between_ms: list[int]
    cpu_ms: dict[str, float]


@dataclass
class Round:
    """Backlogs and their costs, by what they were read from; the engine alone after each; its gain."""

    backlogs: dict[str, Backlog] = field(default_factory=dict)
    costs: dict[str, float] = field(default_factory=dict)
    engine: list[Bare] = field(default_factory=list)
    gain: float = 0.0


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

    def run(self, way: str, rows: int) -> Bare:
        """Score the first rows, by "engine" or by "predict"."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{way} 0 {rows}\n")
        self._process.stdin.flush()
        answer = self._read()
        self.peak_mib = int(str(answer["peak_mib"]))
        return Bare(float(str(answer["seconds"])), 1000 * float(str(answer["cpu_s"])) / rows)

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
    """Run the rounds; returns 0 when the promises are kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.throughput", description=__doc__)
    parser.add_argument("--cutouts", type=int, default=256, help="in each run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    batch = max(Scoring().batch_sizes)
    with tempfile.TemporaryDirectory(prefix="deep-asteroids-throughput-") as scratch:
        folder = Path(scratch)
        files = [data for _, data in jpegs(args.cutouts, seed=7)]
        np.save(folder / "pixels.npy", np.stack([decode(data) for data in files]))
        bundles = folder / "bundles"
        subprocess.run([sys.executable, "-c", _MAKE_BUNDLES, str(bundles), *VERSIONS], check=True, env=QUIET)
        bare = BareEngine(bundles, folder / "pixels.npy", batch)
        try:
            with local_service(folder / "service") as local:
                _register(local, bundles)
                rounds = _rounds(local, bare, files, args.rounds)
                peaks = _peaks(local) | {"bare engine": bare.peak_mib}
        finally:
            bare.close()
    return _conclude(rounds, peaks, as_json=args.json)


def _rounds(local: LocalService, bare: BareEngine, files: list[bytes], count: int) -> list[Round]:
    """The rounds, less the one that warms."""
    rounds = []
    before = bare.run("engine", len(files))
    for n in range(count + 1):
        found = Round()
        for way, days in (("packs", FIRST_DAY + 2 * n), ("files", FIRST_DAY + 2 * n + 1)):
            night = _backlog(local, files, days=days, packed=way == "packs")
            found.backlogs[way] = _scored(local, night, len(files))
            after = bare.run("engine", len(files))
            found.costs[way] = 1 - (before.seconds + after.seconds) / 2 / found.backlogs[way].seconds
            found.engine.append(after)
            before = after
        few = len(files) // PREDICT_PART
        found.gain = bare.run("predict", few).seconds / few / (before.seconds / len(files))
        print(f"round {n}: {found}", file=sys.stderr)
        rounds.append(found)
    return rounds[1:]


def _conclude(rounds: list[Round], peaks: dict[str, int], *, as_json: bool) -> int:
    costs = {way: median(found.costs[way] for found in rounds) for way in LIMITS}
    gain = median(found.gain for found in rounds)
    details: dict[str, object] = {
        "the bare engine": [asdict(bare) for found in rounds for bare in found.engine],
        "costs": [{way: round(cost, 4) for way, cost in found.costs.items()} for found in rounds],
        "peak MiB": peaks,
    }
    for way in LIMITS:
        details[f"backlogs from {way}"] = [asdict(found.backlogs[way]) for found in rounds]
    told = "; ".join(f"from {way} {costs[way]:.1%} (at most {limit:.0%})" for way, limit in LIMITS.items())
    figure = (
        f"a backlog costs, of the bare engine, {told}; "
        f"the engine runs at {gain:.2f} x predict (at least {PREDICT_LIMIT})"
    )
    kept = gain >= PREDICT_LIMIT and all(costs[way] <= limit for way, limit in LIMITS.items())
    return conclude("throughput", figure, kept=kept, details=details, as_json=as_json)


def _register(local: LocalService, bundles: Path) -> None:
    for path in bundles.glob("*/card.json"):
        local.record.models.register(read_card(path), (path.parent / "weights.npz").read_bytes())


def _backlog(local: LocalService, files: list[bytes], *, days: int, packed: bool) -> str:
    """A night of cutouts on record; the files of a packed one are removed. Returns the night."""
    record = local.record
    mine = [data[:2] + _comment(days) + data[2:] for data in files]  # the same pictures, other bytes
    night = put_on_record(record, mine, days=days)
    if packed:
        settings = Settings()
        reader = open_reader(settings, record, name="pack", from_packs=True)
        packer = Packer(record, reader, recipe=next(iter(RECIPES)), limits=decode_limits(settings))
        packer.pack(f"night = {night}")
        for data in mine:
            record.blobs.delete(sha256_of(data))
    return night


def _comment(days: int) -> bytes:
    """A comment segment of a JPEG, to stand after its first two bytes."""
    text = str(days).encode()
    return b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text


def _scored(local: LocalService, night: str, count: int) -> Backlog:
    """Have a night scored, and tell from the record how long that took."""
    client = local_client(local.service.url, local.service.secrets_file)
    job = str(client.jobs.submit_rescoring({"models": list(VERSIONS), "nights": [night]})["job"])
    before = local.cpu_s()
    ended = local.wait(job, timeout_s=900)
    cpu = {name: after - before[name] for name, after in local.cpu_s().items()}
    progress = local.record.shards.progress(job)
    if progress.scored != count or ended.created is None or ended.finished is None:
        raise RuntimeError(f"{progress.scored} of {count} cutouts of {night} were scored: {ended}")
    shards = list(local.record.database["shards"].find({"_id.job": job}).sort("claimed", 1))
    return Backlog(
        seconds=(ended.finished - shards[0]["claimed"]).total_seconds(),
        waited_s=(shards[0]["claimed"] - ended.created).total_seconds(),
        shards=[shard["size"] for shard in shards],
        between_ms=[
            round(1000 * (later["claimed"] - one["closed"]).total_seconds())
            for one, later in pairwise(shards)
        ],
        cpu_ms={name: round(1000 * used / count, 2) for name, used in cpu.items()},
    )


def _peaks(local: LocalService) -> dict[str, int]:
    """Peak resident memory of each process of the service, in MiB."""
    return {
        name if n == 0 else f"{name}/{n}": peak_mib(pid)
        for name, root in local.programs().items()
        for n, pid in enumerate(process_tree(root))
    }


if __name__ == "__main__":
    sys.exit(main())
