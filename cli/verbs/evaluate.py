"""`./streaks evaluate`: figures of a network on cutouts whose truth is known."""

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

from cli.caller import from_caller
from cli.connection import service_if_any
from cli.dataset_files import fetch_images
from cli.local.programs import ROOT
from cli.model_versions import Versions
from cli.output import say
from core.dataset import SPLITS
from core.errors import InvalidRequest
from cutouts.benchmark import STANDING
from cutouts.simulator.presets import PRESETS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add MODEL, DATASET and what decides the cutouts."""
    parser.add_argument("model", metavar="MODEL", help="rb@production, rb@2, or the folder of a bundle")
    parser.add_argument(
        "dataset",
        metavar="DATASET",
        help="a preset, a folder with its truth.csv or with one for each class, a data set of the service, "
        "or `benchmark`",
    )
    parser.add_argument(
        "--split", choices=SPLITS, help="of a data set of the service: what is measured on; test by default"
    )
    parser.add_argument("--seed", type=int, help="of the cutouts; a fresh one by default, which is told")
    parser.add_argument("--count", type=int, help="how many cutouts; all that there are by default")
    parser.add_argument("--plots", metavar="DIR", help="write the curves there, as SVG")
    parser.add_argument("--against", metavar="MODEL", help="tell what changes against it, as rb@production")


def run(args: argparse.Namespace) -> int:
    """Find the network, here or in the service, and let a process of `models` evaluate it."""
    with tempfile.TemporaryDirectory(prefix="evaluate-") as folder:
        model, classifier = _model(args.model, args.server, Path(folder) / "model")
        dataset, seed, count = _dataset(args, classifier, Path(folder) / "dataset")
        command = [sys.executable, "-m", "models", "evaluate", model, dataset, "--seed", str(seed)]
        command += ["--count", str(count)] if count is not None else []
        if args.against:
            command += ["--against", _model(args.against, args.server, Path(folder) / "against")[0]]
        command += ["--plots", str(from_caller(args.plots))] if args.plots else []
        command += ["--json"] if args.json else []
        say(f"evaluating on {dataset} with seed {seed} (TensorFlow loads for up to 20 s)")
        environ = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
        return subprocess.run(command, cwd=ROOT, env=environ, check=False).returncode


def _model(name: str, server: str | None, folder: Path) -> tuple[str, str]:
    """What `models evaluate` is to read, a shipped version or a bundle's folder, and its classifier."""
    given = from_caller(name)
    if (given / "card.json").is_file():
        return str(given), str(json.loads((given / "card.json").read_text("utf-8"))["classifier"])
    versions = Versions.of(service_if_any(server))
    version = versions.named(name)
    return str(versions.bundle(version, folder)), version.partition("@")[0]


def _dataset(args: argparse.Namespace, classifier: str, folder: Path) -> tuple[str, int, int | None]:
    """Preset or folder, seed and count; the standing benchmark has its own.

    The images of a data set of the service are fetched to `folder`.
    """
    if args.dataset == "benchmark":
        standing = STANDING.get(classifier)
        if standing is None or args.seed is not None or args.count is not None:
            raise InvalidRequest(
                f"a standing benchmark of {classifier!r} with --seed {args.seed} and --count {args.count}; "
                f"expected neither, and one of {', '.join(STANDING)}"
            )
        return standing.preset, standing.seed, standing.count
    seed = args.seed if args.seed is not None else 10**6 + secrets.randbelow(10**9)
    if seed < 0:
        raise InvalidRequest(f"the seed is {seed}; expected 0 or more")
    if args.dataset in PRESETS or from_caller(args.dataset).is_dir():
        found = args.dataset if args.dataset in PRESETS else str(from_caller(args.dataset))
        if args.split:
            raise InvalidRequest(
                f"--split {args.split} of {args.dataset}; expected a data set of the service"
            )
        return found, seed, args.count
    return _fetched(args, classifier, folder), seed, args.count


def _fetched(args: argparse.Namespace, classifier: str, folder: Path) -> str:
    """The folder of the images of a split of the service's data set; raises InvalidRequest for none such."""
    client = service_if_any(args.server)
    cards = [] if client is None else client.datasets.all()
    card = next((card for card in cards if card["name"] == args.dataset), None)
    if client is None or card is None:
        named = ", ".join(card["name"] for card in cards) or "none here"
        raise InvalidRequest(
            f"no data set {args.dataset!r}; expected a preset ({', '.join(PRESETS)}), a folder, "
            f"or a data set of the service ({named})"
        )
    if card["classifier"] != classifier:
        raise InvalidRequest(
            f"{args.dataset} is a data set of {card['classifier']}; expected one of {classifier}"
        )
    fetch_images(client, args.dataset, args.split or "test", folder)
    return str(folder)
