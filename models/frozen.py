"""A network as a TensorFlow graph with its weights in it, for engines that run graphs without TensorFlow."""

from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from core.model_card import ModelCard
from cutouts.recipes import SIZE_PX
from models.bundle import load_network

PROBES = 4


def freeze(card: ModelCard, weights: bytes, graph: Path) -> None:
    """Write a network's graph: (n, 144, 144, 1) uint8 to (n, 1) float32 scores; one output, one input.

    Beside it, under the same name with the ending `.npz`, go `PROBES` images of noise and the scores that
    TensorFlow gives them, so that whoever runs the graph can tell that it is the same network. Raises as
    `load_network` does.
    """
    network = load_network(card, weights)

    def run(batch: tf.Tensor) -> tf.Tensor:
        return network(tf.cast(batch, tf.float32) / 255.0, training=False)

    shape = tf.TensorSpec((None, SIZE_PX, SIZE_PX, 1), tf.uint8)
    traced = convert_variables_to_constants_v2(tf.function(run).get_concrete_function(shape))
    graph.write_bytes(traced.graph.as_graph_def().SerializeToString())
    images = _noise()
    (scores,) = traced(tf.constant(images))
    np.savez(graph.with_suffix(".npz"), images=images, scores=scores.numpy())


def _noise() -> NDArray[np.uint8]:
    """Sky of different softness: flat noise alone would leave most of a network's paths dead."""
    rng = np.random.default_rng(1)
    images = rng.normal(204, 14, (PROBES, SIZE_PX, SIZE_PX, 1))
    for n in range(PROBES):
        for _ in range(n):
            images[n] = (images[n] + np.roll(images[n], 1, 0) + np.roll(images[n], 1, 1)) / 3
        images[n, 40 + 9 * n : 46 + 9 * n, 30:110] -= 40 * n
    return np.clip(images, 0, 255).astype(np.uint8)
