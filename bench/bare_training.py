"""`python -m bench.bare_training ARRAYS`: Keras's own `fit` on arrays in memory, run on command.

Reads a line from stdin, the number of epochs, trains them with Adam and nothing else, and answers with one
line of JSON: the seconds.
"""

import json
import sys
import time
from pathlib import Path

import keras
import numpy as np

from models.architectures import build


def main(arrays: Path, architecture: str, batch_size: int) -> None:
    """Train one epoch to be warm, say ready, then do as told until stdin ends."""
    with np.load(arrays) as archive:
        images = archive["images"].astype(np.float32) / np.float32(255)
        labels = archive["labels"].astype(np.float32)
    network = build(architecture)
    network.compile(keras.optimizers.Adam(1e-4), "binary_crossentropy", jit_compile=False)
    network.fit(images, labels, batch_size=batch_size, epochs=1, verbose=0)
    _answer(ready=True)
    for line in sys.stdin:
        began = time.perf_counter()
        network.fit(images, labels, batch_size=batch_size, epochs=int(line), verbose=0)
        _answer(seconds=time.perf_counter() - began)


def _answer(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
