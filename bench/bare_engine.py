"""`python -m bench.bare_engine BUNDLES PIXELS`: the engine without the service, run on command.

Reads a line from stdin, "engine FROM TO" or "predict FROM TO", scores these rows of the array, and answers
with one line of JSON: seconds, of these and of its CPU, and its peak memory so far.
"""

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

from core.settings import load_settings
from cutouts.recipes import Pixels
from models.bundle import load_network, read_card, read_weights
from worker.engines import make_engine
from worker.seat import take_seat


def main(bundles: Path, pixels_file: Path, batch: int) -> None:
    """Load and warm, say ready, then do as told until stdin ends."""
    pixels: Pixels = np.load(pixels_file, mmap_mode="r")
    settings = load_settings()
    settings.scoring.batch_sizes = (batch,)
    engine, _ = make_engine(settings, take_seat(settings.scoring, wanted=None, folder=bundles))
    folders = sorted(path.parent for path in bundles.glob("*/card.json"))
    for folder in folders:
        engine.load(read_card(folder), read_weights(folder))
    networks = [load_network(read_card(folder), read_weights(folder)) for folder in folders]
    engine.warm(engine.versions)
    for network in networks:
        network.predict(np.zeros((batch, *pixels.shape[1:]), np.float32), batch_size=batch, verbose=0)
    _answer(ready=True)
    for line in sys.stdin:
        way, first, last = line.split()
        rows = np.ascontiguousarray(pixels[int(first) : int(last)])
        began, cpu_s = time.perf_counter(), time.process_time()
        if way == "engine":
            engine.score(rows, engine.versions)
        else:
            unit = rows.astype(np.float32) / 255.0
            for network in networks:
                network.predict(unit, batch_size=batch, verbose=0)
        seconds = time.perf_counter() - began
        cpu_s = time.process_time() - cpu_s
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        _answer(seconds=seconds, cpu_s=cpu_s, peak_mib=peak_mib)


def _answer(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
