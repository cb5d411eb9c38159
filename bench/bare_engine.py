"""`python -m bench.bare_engine BUNDLES PIXELS BATCH SCORES`: the engine without the service, run on command.

Reads a line from stdin, "engine FROM TO" or "predict FROM TO", scores these rows of the array, keeps the
scores in a file, and answers with one line of JSON: seconds, of these and of its CPU, and its peak memory so
far. Keras is loaded by the first "predict".
"""

import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.settings import load_settings
from cutouts.recipes import Pixels
from storage.model_registry import read_card
from worker.engines import make_engine
from worker.seat import take_seat

Score = Callable[[Pixels], NDArray[np.float32]]


def main(bundles: Path, pixels_file: Path, batch: int, scores_file: Path) -> None:
    """Load and warm, say ready, then do as told until stdin ends."""
    pixels: Pixels = np.load(pixels_file, mmap_mode="r")
    settings = load_settings()
    settings.scoring.batch_sizes = (batch,)
    engine, _ = make_engine(settings, take_seat(settings.scoring, wanted=None, folder=bundles))
    folders = sorted(path.parent for path in bundles.glob("*/card.json"))
    for folder in folders:
        engine.load(read_card(folder / "card.json"), (folder / "weights.npz").read_bytes())
    engine.warm(engine.versions)
    ways: dict[str, Score] = {"engine": lambda rows: engine.score(rows, engine.versions)}
    _answer(engine=engine.name)
    for line in sys.stdin:
        way, first, last = line.split()
        if way not in ways:
            ways[way] = _predict(folders, batch)
        rows = np.ascontiguousarray(pixels[int(first) : int(last)])
        began, cpu_s = time.perf_counter(), time.process_time()
        scores = ways[way](rows)
        seconds = time.perf_counter() - began
        cpu_s = time.process_time() - cpu_s
        np.save(scores_file, scores)
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        _answer(seconds=seconds, cpu_s=cpu_s, peak_mib=peak_mib)


def _predict(folders: Sequence[Path], batch: int) -> Score:
    """Keras's own `predict`, warmed."""
    from models.bundle import load_network, read_card, read_weights

    networks = [load_network(read_card(folder), read_weights(folder)) for folder in folders]

    def predict(rows: Pixels) -> NDArray[np.float32]:
        unit = rows.astype(np.float32) / 255.0
        columns = [network.predict(unit, batch_size=batch, verbose=0) for network in networks]
        return np.concatenate(columns, axis=1)

    predict(np.zeros((batch, 144, 144, 1), np.uint8))
    return predict


def _answer(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
