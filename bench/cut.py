"""`python -m bench.cut`: streaks of a telescope with other pixels, cut out of a full image and scored.

A 2048 x 2048 float image of 1.6 arcsec/px with twenty simulated streaks is cut by `./streaks cut` at their
positions on the sky, by a profile in the settings, and its folder is scored by a network that ships. Found is
what rb scores at its threshold or above.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from bench.full_image import WIDE, catalogue, full_image, written
from bench.verdict import conclude
from cli.__main__ import main as streaks
from cutouts.decode import decode
from models.bundle import find_bundle, load_network, read_card, read_weights
from models.evaluation import score_images

STREAKS, WANTED = 20, 18


def main() -> int:
    """Cut and score; returns 0 when enough are found, for every seed."""
    parser = argparse.ArgumentParser(prog="python -m bench.cut", description=__doc__)
    parser.add_argument("--network", default="rb@4", help="a shipped version; rb@3 is the light one")
    parser.add_argument("--seeds", type=int, default=5, help="how many images")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="deep-asteroids-cut-") as folder:
        found = [found_in(Path(folder) / str(seed), seed, network=args.network) for seed in range(args.seeds)]
    return conclude(
        "cut",
        f"{args.network} finds {', '.join(map(str, found))} of {STREAKS} at {WIDE.arcsec_per_px} arcsec/px",
        kept=min(found) >= WANTED,
        details={"found": found, "wanted": WANTED},
        as_json=args.json,
    )


def found_in(folder: Path, seed: int, *, network: str) -> int:
    """How many of an image's streaks are found."""
    folder.mkdir()
    unit, placed = full_image(seed, streaks=STREAKS)
    (folder / "diff.fits").write_bytes(written(unit))
    (folder / "table.csv").write_text(catalogue(placed, on_sky=True), "utf-8")
    profile = {"arcsec_per_px": WIDE.arcsec_per_px, "fwhm_arcsec": 3.2, "exposure_s": WIDE.exposure_s}
    os.environ["DA_INSTRUMENTS"] = json.dumps({WIDE.name: profile})
    words = ["cut", f"{folder}/diff.fits", "--catalog", f"{folder}/table.csv", "-o", f"{folder}/out"]
    if streaks([*words, "--instrument", WIDE.name]):
        raise RuntimeError("some were not cut")
    return len(plausible(folder / "out", network))


def plausible(folder: Path, network: str) -> list[str]:
    """Names of the pictures below a folder that a shipped network passes."""
    bundle = find_bundle(network)
    card = read_card(bundle)
    files = sorted((folder / "stamps").rglob("*.png"))
    scores = score_images(
        load_network(card, read_weights(bundle)), np.stack([decode(file.read_bytes()) for file in files])
    )
    return [file.name for file, score in zip(files, scores, strict=True) if score >= card.threshold]


if __name__ == "__main__":
    sys.exit(main())
