"""`./streaks try FILE`: what the networks see of a cutout, its scores, and how unlike their training it is.

Nothing is put on record.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cli.caller import from_caller
from cli.connection import service_if_any
from cli.exit_codes import Exit
from cli.half_blocks import half_blocks
from cli.local.programs import ROOT
from cli.model_versions import Versions
from cli.output import emit, say
from cli.tables import table
from core.errors import CutoutRejected, InvalidRequest, NotFound
from core.instrument import DEFAULT_INSTRUMENT
from core.model_card import ModelCard
from core.outcome import Departure
from core.settings import load_settings
from cutouts.decode import Decoded, DecodeLimits, decode_checked
from cutouts.instruments import find_instrument
from cutouts.likeness import Likeness, likeness
from cutouts.recipes import RECIPES, Pixels

_MOST_NAMED = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the file, and what is to be seen of it."""
    parser.add_argument("file", metavar="FILE", help="a cutout: JPEG, PNG or FITS")
    parser.add_argument(
        "--instrument", metavar="NAME", default=DEFAULT_INSTRUMENT, help="ztf, or a profile in the settings"
    )
    parser.add_argument("--models", metavar="rb@4,sl@3", default="", help="default: those in production")
    parser.add_argument("--png", metavar="FILE", help="write the 144x144 picture there")
    parser.add_argument("--no-scores", action="store_true", help="load no network, which takes 20 s")


def run(args: argparse.Namespace) -> int:
    """Show the picture where standard output is a terminal, then the table; a rejected file ends with 3."""
    path = from_caller(args.file)
    try:
        decoded = _decoded(path, args.instrument)
    except CutoutRejected as rejection:
        say(f"{args.file}: {rejection}")
        if args.json:
            told = {key: getattr(rejection, key) for key in ("stage", "reason", "detail")}
            emit({"file": args.file, "rejection": told, "scores": {}, "likeness": None, "uncalibrated": []})
        return Exit.REJECTIONS
    seen = next(iter(decoded.pixels.values()))
    if args.png:
        Image.fromarray(seen[..., 0]).save(from_caller(args.png), "PNG")
    found = likeness(seen)
    scores = {} if args.no_scores else _scores(decoded, args)
    if args.json:
        emit(
            {
                "file": args.file,
                "rejection": None,
                "scores": scores,
                "likeness": asdict(found),
                "uncalibrated": [asdict(departure) for departure in decoded.departures],
            }
        )
        return Exit.OK
    if sys.stdout.isatty():
        print(half_blocks(seen[..., 0], width=shutil.get_terminal_size().columns - 1))
    if scores:
        rows = [(v, s["score"], s["threshold"], s["says"]) for v, s in scores.items()]
        print(table(("network", "score", "threshold", "says"), rows))
    print("\n".join([_sentence(found), *_departures(decoded.departures)]))
    return Exit.OK


def _decoded(path: Path, instrument: str) -> Decoded:
    settings = load_settings()
    profile = find_instrument(instrument, settings.instruments)
    limits = DecodeLimits.of(settings.limits)
    if not path.is_file():
        raise NotFound(f"{path}: no such file; expected a cutout in JPEG, PNG or FITS")
    with path.open("rb") as file:
        data = file.read(limits.max_bytes + 1)
    return decode_checked(data, recipes=list(RECIPES), instrument=profile, limits=limits)


def _scores(decoded: Decoded, args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Score, threshold and what that makes of it, by version."""
    versions = Versions.of(service_if_any(args.server))
    names = [name.strip() for name in args.models.split(",") if name.strip()]
    wanted = [versions.named(name) for name in names] or [
        version for members in versions.production.values() for version in members
    ]
    with tempfile.TemporaryDirectory(prefix="try-") as folder:
        bundles = {v: versions.bundle(v, Path(folder) / v.replace("@", "-")) for v in wanted}
        cards = {v: _card(bundle) for v, bundle in bundles.items()}
        say(f"scoring by {', '.join(wanted)} (TensorFlow loads for up to 20 s)")
        found: dict[str, dict[str, Any]] = {}
        for recipe in dict.fromkeys(card.recipe for card in cards.values()):
            members = [v for v in wanted if cards[v].recipe == recipe]
            scored = _run(Path(folder), decoded.pixels[recipe], [bundles[v] for v in members])
            for version in members:
                card, score = cards[version], scored[version][0]
                says = card.classes[int(score >= card.threshold)]
                found[version] = {"score": round(score, 5), "threshold": card.threshold, "says": says}
        return found


def _run(folder: Path, pixels: Pixels, bundles: list[Path]) -> dict[str, list[float]]:
    np.save(folder / "pictures.npy", pixels[np.newaxis])
    command = [sys.executable, "-m", "models", "score", str(folder / "pictures.npy"), *map(str, bundles)]
    environ = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InvalidRequest(f"the networks can't be run: {done.stderr.strip()[-500:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _card(bundle: Path) -> ModelCard:
    return ModelCard.model_validate_json((bundle / "card.json").read_bytes())


def _sentence(found: Likeness) -> str:
    named = ", ".join(f"{name} {off:+.1f}" for name, off in list(found.deviations.items())[:_MOST_NAMED])
    verdict = "UNLIKE the training: its scores mean little" if found.unlike else "like the training"
    return (
        f"{verdict}; distance {found.distance:.1f}, {found.nearer:.1%} of training cutouts are nearer "
        f"(most off, in their standard deviations: {named})"
    )


def _departures(departures: tuple[Departure, ...]) -> list[str]:
    return [
        f"uncalibrated: {d.quantity} {d.observed:g}, expected {d.expected[0]:g} to {d.expected[1]:g}"
        for d in departures
    ]
