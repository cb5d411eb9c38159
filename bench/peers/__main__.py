"""`python -m bench.peers`: the bare networks, the service, the predecessor's way and the peers, in one run.

The same simulated JPEGs go through rb and sl, and their scores into MongoDB: by the compiled networks alone,
from memory, which is the floor; by the service from packs and from files; by a plain loop with Keras's
`predict` and an update for each cutout; by Ray Data, by LitServe and by a Celery task for each picture, which
run the same graphs on OpenVINO. All stay loaded; a first round warms them; then they take turns, and the
floor runs before and after each. Who does not run is stopped (SIGSTOP): some look for work all the time,
and would take of the cores of who does (`idle` tells how much). Ratios are those of neighbours; a figure is
the median over the rounds. The start of a run (planning, Ray's actors) is told apart from its rate.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench.bare_program import BareEngine
from bench.cutout_files import jpegs
from bench.local_service import LocalService, local_service
from bench.peers.contender import Contender, Ours, Peer, Ran
from bench.peers.environment import installed
from bench.peers.outcome import CELERY, FLOOR, LOOP, OURS, PEERS, Measured, Row, judged, machine, row
from bench.peers.told import Told
from bench.verdict import conclude
from core.settings import Scoring
from cutouts.decode import decode
from models.bundle import find_bundle

VERSIONS = {"best": ("rb@4", "sl@3"), "light": ("rb@3", "sl@2")}
ENGINES = ("openvino", "tensorflow")
SEED = 7


@dataclass(frozen=True)
class Inputs:
    """What all of them score, and by what."""

    folder: Path
    files: list[bytes]
    versions: tuple[str, ...]
    batch: int
    rounds: int

    @property
    def pixels(self) -> Path:
        """The pixels of all files, in memory for the floor."""
        return self.folder / "pixels.npy"

    @property
    def reference(self) -> Path:
        """The scores that Keras's `predict` gave, which those of all others are held against."""
        return self.folder / "reference.npy"

    @property
    def bundles(self) -> Path:
        """The folder of the networks."""
        return self.folder / "bundles"


@dataclass
class Turns:
    """The runs of one engine's contenders: each between two of the floor."""

    floor: list[float] = field(default_factory=list)
    ran: dict[str, list[Ran]] = field(default_factory=dict)
    ratios: dict[str, list[float]] = field(default_factory=dict)


def main() -> int:
    """Run the rounds; returns 0 when the promises are kept."""
    args = _arguments()
    os.environ["DA_SHIPPED"] = "light" if args.light else "best"
    with tempfile.TemporaryDirectory(prefix="deep-asteroids-peers-") as scratch:
        inputs = _inputs(Path(scratch), args)
        os.environ["DA_SCORING__GRAPHS_DIR"] = str(inputs.folder / "graphs")
        python = installed(args.venv, install=not args.no_install)
        rows = [found for engine in args.engines.split(",") for found in _rows(engine, inputs, python)]
    missing = [] if python else [f"{name}: not installed in {args.venv}" for name in PEERS]
    figure, kept = judged(rows, missing)
    details: dict[str, object] = {
        "machine": machine(),
        "cutouts": args.cutouts,
        "rounds": args.rounds,
        "networks": list(inputs.versions),
        "precision": "float32",
        "contenders": [one.told() for one in rows],
        "missing": missing,
    }
    return conclude("peers", figure, kept=kept, details=details, as_json=args.json)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--cutouts", type=int, default=500, help="in each run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engines", default=",".join(ENGINES), help="peers run beside openvino only")
    parser.add_argument("--light", action="store_true", help="by the light networks, ten times faster")
    parser.add_argument(
        "--venv", type=Path, default=Path(".state/bench-peers"), help="the peers' environment, made if absent"
    )
    parser.add_argument("--no-install", action="store_true", help="do without peers that are not installed")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    unknown = set(args.engines.split(",")) - set(ENGINES)
    if unknown:
        parser.error(f"engines {', '.join(sorted(unknown))}; expected of {', '.join(ENGINES)}")
    return args


def _inputs(folder: Path, args: argparse.Namespace) -> Inputs:
    versions = VERSIONS["light" if args.light else "best"]
    found = jpegs(args.cutouts, seed=SEED)
    (folder / "files").mkdir()
    for name, data in found:
        (folder / "files" / name).write_bytes(data)
    inputs = Inputs(folder, [data for _, data in found], versions, max(Scoring().batch_sizes), args.rounds)
    np.save(inputs.pixels, np.stack([decode(data) for data in inputs.files]))
    inputs.bundles.mkdir()
    for version in versions:
        (inputs.bundles / version).symlink_to(find_bundle(version))
    return inputs


def _rows(engine: str, inputs: Inputs, python: Path | None) -> list[Row]:
    """The floor and the contenders of one engine; peers run the graphs that OpenVINO's floor has made."""
    os.environ["DA_SCORING__ENGINE"] = engine
    with ExitStack() as stack:
        floor = BareEngine(inputs.bundles, inputs.pixels, inputs.batch, engine=engine)
        stack.callback(floor.close)
        local = stack.enter_context(local_service(inputs.folder / engine))
        contenders: dict[str, Contender] = {
            name: Ours(local, inputs.files, inputs.versions, packed=packed) for name, packed in OURS.items()
        }
        for contender in contenders.values():
            stack.callback(contender.close)
        if engine == "openvino":
            contenders |= _others(inputs, local, python, stack)
        turns = _turns(floor, contenders, inputs)
        if LOOP in contenders:
            np.save(inputs.reference, turns.ran[LOOP][-1].scores)
        own = np.load(floor.scores)
        reference = np.load(inputs.reference) if inputs.reference.exists() else own
        bare = Measured([Ran(seconds, 0.0, own) for seconds in turns.floor], [1.0], floor.peak_mib)
        rows = [row(FLOOR, floor.name, bare, {}, reference=reference)]
        for name, contender in contenders.items():
            measured = Measured(turns.ran[name], turns.ratios[name], contender.peak_mib())
            by = "keras" if name == LOOP else floor.name
            rows.append(row(name, by, measured, contender.settings, reference=reference))
        return rows


def _others(
    inputs: Inputs, local: LocalService, python: Path | None, stack: ExitStack
) -> dict[str, Contender]:
    """The predecessor's way, and the peers that are installed."""
    graphs = inputs.folder / "graphs"
    told = Told(
        files=str(inputs.folder / "files"),
        fields=[version.partition("@")[0] for version in inputs.versions],
        graphs=[str(next(graphs.glob(f"{version}-*.pb"))) for version in inputs.versions],
        bundles=[str(find_bundle(version)) for version in inputs.versions],
        mongo_url=local.servers.mongo_url,
        redis_url=local.servers.redis_url,
        batch=inputs.batch,
    )
    ours = Path(sys.executable)
    programs = [(LOOP, "keras_loop", ours), (CELERY, "celery_images", ours)]
    programs += [(name, module, python) for name, module in PEERS.items() if python is not None]
    others: dict[str, Contender] = {}
    for name, module, interpreter in programs:
        others[name] = Peer(module, interpreter, told)
        stack.callback(others[name].close)
    return others


def _turns(floor: BareEngine, contenders: Mapping[str, Contender], inputs: Inputs) -> Turns:
    """The rounds, less the one that warms."""
    count = len(inputs.files)
    turns = Turns(ran={name: [] for name in contenders}, ratios={name: [] for name in contenders})
    for contender in contenders.values():
        contender.rest()
    before = floor.run("engine", count).seconds
    for n in range(inputs.rounds + 1):
        for name, contender in contenders.items():
            contender.wake()
            ran = contender.run(n)
            if n == 0:
                contender.settings["idle"] = f"{contender.idle_share():.1%} of a core"
            contender.rest()
            after = floor.run("engine", count).seconds
            told = f"round {n}: {name}: {count / ran.seconds:.1f}/s, the floor {count / before:.1f} and"
            print(f"  {told} {count / after:.1f}", file=sys.stderr)
            if n > 0:
                turns.ran[name].append(ran)
                turns.ratios[name].append((before + after) / 2 / ran.seconds)
                turns.floor.append(after)
            before = after
    return turns


if __name__ == "__main__":
    sys.exit(main())
