"""Starting weights for a network without batch normalisation."""

import keras
import numpy as np
from numpy.typing import NDArray


def settle(network: keras.Model, images: NDArray[np.float32]) -> None:
    """Scale each layer's kernel so that its outputs on these images have a mean square of one.

    Layer-sequential unit variance (Mishkin and Matas 2015, arXiv:1511.06422). The first kernel is made to sum
    to zero, so that flat sky, which is 0.8 of full scale and carries nothing, comes out as zero. Networks
    with batch normalisation are left as they are.

    Parameters
    ----------
    images : (n, 144, 144, 1) float32 in 0..1, a few dozen.
    """
    if any(isinstance(layer, keras.layers.BatchNormalization) for layer in network.layers):
        return
    weighted = [layer for layer in network.layers if layer.weights]
    for n, layer in enumerate(weighted[:-1]):
        kernel, bias = layer.get_weights()
        if n == 0:
            kernel -= kernel.mean(axis=(0, 1), keepdims=True)
            layer.set_weights([kernel, bias])
        seen = keras.Model(network.inputs[0], layer.output)(images, training=False)
        outputs = np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(seen, "float32")))
        layer.set_weights([kernel / np.sqrt(np.mean(np.square(outputs)) + 1e-12), bias])
