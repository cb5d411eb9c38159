"""500 simulated cutouts at 8 % real with the scores of rb@3, made once: tests that sort need no TensorFlow.

`python -m tests.simulated_cutouts` makes the scores again.
"""

import csv
import io
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

from PIL import Image

from cutouts.simulator.drawing import draw
from cutouts.simulator.presets import is_streak
from cutouts.simulator.stream import seeds_of

VERSION = "rb@3"
SCORES = Path(__file__).with_suffix(".csv")
_REAL, _BOGUS, _SEED = 40, 460, 8


@dataclass(frozen=True)
class Simulated:
    """A file, what it shows, and the score of rb@3."""

    name: str
    data: bytes
    is_real: bool
    score: float


def simulated_cutouts() -> list[Simulated]:
    """Reals and bogus in the proportions of the 2018 data set's kinds, in an order that tells nothing."""
    with SCORES.open(encoding="utf-8") as file:
        scores = {row["name"]: float(row["score"]) for row in csv.DictReader(file)}
    return [Simulated(name, data, is_real, scores[name]) for name, data, is_real in _files()]


@cache
def _files() -> list[tuple[str, bytes, bool]]:
    drawn = seeds_of("rb-2018.9", count=1500, seed=_SEED)
    real = islice((seed for seed in drawn if is_streak(seed[0])), _REAL)
    bogus = islice((seed for seed in drawn if not is_streak(seed[0])), _BOGUS)
    chosen = sorted([*real, *bogus], key=lambda found: found[1])
    return [
        (f"simulated-{n:03}.jpg", _jpeg(kind, seed), is_streak(kind)) for n, (kind, seed) in enumerate(chosen)
    ]


def _jpeg(kind: str, seed: int) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(draw(kind, seed, name="").image)  # type: ignore[arg-type]
    image.save(file, "JPEG", quality=90)
    return file.getvalue()


def _score_again() -> None:
    import numpy as np

    from cutouts.decode import decode
    from models.bundle import find_bundle, load_network, read_card, read_weights
    from models.evaluation import score_images

    folder = find_bundle(VERSION)
    network = load_network(read_card(folder), read_weights(folder))
    scores = score_images(network, np.stack([decode(data) for _, data, _ in _files()]))
    with SCORES.open("w", encoding="utf-8", newline="") as file:
        written = csv.writer(file, lineterminator="\n")
        written.writerow(("name", "score"))
        written.writerows(
            (name, f"{score:.5f}") for (name, _, _), score in zip(_files(), scores, strict=True)
        )


if __name__ == "__main__":
    _score_again()
