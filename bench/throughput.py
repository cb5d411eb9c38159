"""`python -m bench.throughput`: what the queue costs, for the pair of 2018 ResNet50s (random weights do).

A backlog is scored by the whole service from packs and from files, in turn, and before and after each of
these runs the engine alone scores the same cutouts from memory: the bare compiled networks, on the same
batch and threads. A backlog's time is from the first claim to the job's end; its cost is against the mean of
the two bare runs beside it. Keras's own `predict` follows. A first round warms all of them. The files of
what is read from packs are gone, so that nothing else can be read.
"""

import argparse
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

import numpy as np

from bench.bare_program import QUIET, Bare, BareEngine
from bench.cutout_files import jpegs
from bench.local_service import LocalService, local_service
from bench.scored_night import Backlog, night_on_record, peaks, scored
from bench.stages import told, typical
from bench.verdict import conclude
from core.settings import Scoring
from cutouts.decode import decode
from storage.model_registry import read_card

VERSIONS = ("rb@9001", "sl@9001")
LIMITS = {"packs": 0.05, "files": 0.10}
PREDICT_LIMIT = 1.25
PREDICT_PART = 4  # of the cutouts it gets one in so many
FIRST_DAY = 700
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


@dataclass
class Round:
    """Backlogs and their costs, by what they were read from; the engine alone after each; its gain."""

    backlogs: dict[str, Backlog] = field(default_factory=dict)
    costs: dict[str, float] = field(default_factory=dict)
    engine: list[Bare] = field(default_factory=list)
    gain: float = 0.0


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
                used = peaks(local) | {"bare engine": bare.peak_mib}
        finally:
            bare.close()
    return _conclude(rounds, used, as_json=args.json)


def _rounds(local: LocalService, bare: BareEngine, files: list[bytes], count: int) -> list[Round]:
    """The rounds, less the one that warms."""
    rounds = []
    before = bare.run("engine", len(files))
    for n in range(count + 1):
        found = Round()
        for way, days in (("packs", FIRST_DAY + 2 * n), ("files", FIRST_DAY + 2 * n + 1)):
            night = night_on_record(local, files, days=days, packed=way == "packs")
            found.backlogs[way] = scored(local, night, len(files), versions=VERSIONS)
            after = bare.run("engine", len(files))
            found.costs[way] = 1 - (before.seconds + after.seconds) / 2 / found.backlogs[way].seconds
            found.engine.append(after)
            before = after
        few = len(files) // PREDICT_PART
        found.gain = bare.run("predict", few).seconds / few / (before.seconds / len(files))
        print(f"round {n}: {found}", file=sys.stderr)
        rounds.append(found)
    return rounds[1:]


def _conclude(rounds: list[Round], used: dict[str, int], *, as_json: bool) -> int:
    costs = {way: median(found.costs[way] for found in rounds) for way in LIMITS}
    gain = median(found.gain for found in rounds)
    details: dict[str, object] = {
        "the bare engine": [asdict(bare) for found in rounds for bare in found.engine],
        "costs": [{way: round(cost, 4) for way, cost in found.costs.items()} for found in rounds],
        "peak MiB": used,
    }
    for way in LIMITS:
        details[f"backlogs from {way}"] = [asdict(found.backlogs[way]) for found in rounds]
        stages = told(typical([found.backlogs[way].stages for found in rounds]))
        details[f"stages from {way}"] = stages
        print(f"  stages from {way}: {stages}", file=sys.stderr)
    costly = "; ".join(f"from {way} {costs[way]:.1%} (at most {limit:.0%})" for way, limit in LIMITS.items())
    figure = (
        f"a backlog costs, of the bare engine, {costly}; "
        f"the engine runs at {gain:.2f} x predict (at least {PREDICT_LIMIT})"
    )
    kept = gain >= PREDICT_LIMIT and all(costs[way] <= limit for way, limit in LIMITS.items())
    return conclude("throughput", figure, kept=kept, details=details, as_json=as_json)


def _register(local: LocalService, bundles: Path) -> None:
    for path in bundles.glob("*/card.json"):
        local.record.models.register(read_card(path), (path.parent / "weights.npz").read_bytes())


if __name__ == "__main__":
    sys.exit(main())
