"""`python -m bench.peers.keras_loop`: the predecessor's way, a plain loop over the files.

Read a batch of pictures, `predict` by each network, update each cutout's document.
"""

from pathlib import Path

import keras
import numpy as np

from bench.peers.pixels import read_pixels
from bench.peers.told import serve, told
from models.bundle import load_network, read_card, read_weights


def main() -> None:
    """Load, then score as told."""
    mine = told()
    networks = [load_network(read_card(Path(b)), read_weights(Path(b))) for b in mine.bundles]
    database = mine.database()

    def score(collection: str) -> None:
        paths = mine.names()
        for first in range(0, len(paths), mine.batch):
            part = paths[first : first + mine.batch]
            unit = np.stack([read_pixels(path.read_bytes()) for path in part]).astype(np.float32) / 255.0
            columns = [network.predict(unit, batch_size=mine.batch, verbose=0)[:, 0] for network in networks]
            for path, row in zip(part, np.stack(columns, axis=1).tolist(), strict=True):
                scores = dict(zip(mine.fields, row, strict=True))
                database[collection].update_one({"_id": path.name}, {"$set": scores}, upsert=True)

    settings = {"keras": keras.__version__, "predict": f"batches of {mine.batch}", "writes": "an update each"}
    serve(settings, score)


if __name__ == "__main__":
    main()
