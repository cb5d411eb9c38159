"""Convolutions on a GPU's tensor cores, with scores that stay those of float32.

Tensor cores multiply numbers of 11 bits, and add in float32. A kernel that is kept in 8 bits or in float16
needs no more, but for a scale of each output channel. What it is applied to becomes the sum of two such
numbers, laid side by side as twice the channels: one product then has 22 bits of it.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
import keras
import numpy as np
from jax import lax
from numpy.typing import NDArray

from core.errors import Misconfigured

BITS = 11
LARGEST = 2.0**9
"""Of a float16 kernel's whole numbers: far from what float16 can't hold, at either end."""
EIGHT_BIT = 127
EXACT = 2.0**-20  # of the largest, which is what float32 keeps of a scale
RANGE = 2.0**-8  # so that activations to 16 million are float16 numbers
REST = 2.0**BITS  # what is left of an activation after its first 11 bits is as large again, by this
FEW = 4
"""Input channels up to which a convolution is a matrix product over all that its kernel sees."""


def split_convolutions(network: keras.Model) -> None:
    """Have a network's convolutions computed so; others of its layers stay as they are.

    Raises Misconfigured where a kernel has more than 11 bits.
    """
    for layer in network.layers:
        if _is_plain(layer):
            whole, scale = whole_kernel(np.asarray(layer.kernel), layer.name)
            layer.kernel.assign(whole)
            layer.convolution_op = partial(
                _convolved, scale=scale, strides=tuple(layer.strides), padding=layer.padding.upper()
            )


def whole_kernel(kernel: NDArray[np.float32], name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A kernel's numbers of 11 bits and their scale for each output channel, the last axis.

    Raises Misconfigured where it has none.
    """
    largest = np.abs(kernel).max(axis=tuple(range(kernel.ndim - 1)))
    some = np.where(largest > 0, largest, 1)
    by_two = np.exp2(np.floor(np.log2(some))).astype(np.float32) / np.float32(LARGEST)
    by_bits = (some / EIGHT_BIT).astype(np.float32)
    for whole, scale in ((kernel / by_two, by_two), (np.rint(kernel / by_bits), by_bits)):
        if _fits(whole) and (np.abs(whole * scale - kernel) <= some * EXACT).all():
            return whole, scale
    raise Misconfigured(
        f"the kernel of {name} has more than {BITS} bits; expected weights kept as float16 or int8"
    )


def _fits(kernel: NDArray[np.float32]) -> bool:
    return bool((kernel.astype(np.float16).astype(np.float32) == kernel).all())


def _is_plain(layer: keras.Layer) -> bool:
    return (
        type(layer) is keras.layers.Conv2D
        and layer.groups == 1
        and tuple(layer.dilation_rate) == (1, 1)
        and layer.data_format == "channels_last"
    )


def _convolved(x: Any, kernel: Any, *, scale: Any, strides: tuple[int, int], padding: str) -> Any:
    """(n, height, width, channels) float32, as the layer's own convolution gives it, without its bias."""
    rows, columns, channels, outputs = kernel.shape
    if (rows, columns) != (1, 1) and channels > FEW:
        first = lax.reduce_precision(x, 8, BITS - 1)
        both = jnp.concatenate([first, x - first], axis=3)
        found = lax.conv_general_dilated(
            both,
            jnp.concatenate([kernel, kernel], axis=2),
            strides,
            padding,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            precision=lax.Precision.DEFAULT,  # TF32 on a GPU, which has no float16 convolution into float32
        )
        return found * scale
    small = x * RANGE
    first = lax.reduce_precision(small, 5, BITS - 1)  # a plain cast there and back would be optimised away
    both = jnp.concatenate([first, (small - first) * REST], axis=3).astype(jnp.float16)
    kernels = jnp.concatenate([kernel, kernel / REST], axis=2).astype(jnp.float16)
    found = lax.dot_general(
        _seen(both, (rows, columns), strides, padding),
        kernels.reshape(-1, outputs),
        (((3,), (0,)), ((), ())),
        precision=lax.Precision.DEFAULT,
        preferred_element_type=jnp.float32,
    )
    return found * (scale / RANGE)


def _seen(x: Any, kernel: tuple[int, int], strides: Sequence[int], padding: str) -> Any:
    """What a kernel sees at each place, side by side: (n, height, width, rows x columns x channels)."""
    pads = lax.padtype_to_pads(x.shape[1:3], kernel, strides, padding)
    if any(map(any, pads)):
        x = jnp.pad(x, [(0, 0), *pads, (0, 0)])
    n, height, width, channels = x.shape
    (rows, columns), (down, right) = kernel, strides
    high, wide = (height - rows) // down * down + 1, (width - columns) // right * right + 1
    places = [
        lax.slice(x, (0, i, j, 0), (n, i + high, j + wide, channels), (1, down, right, 1))
        for i in range(rows)
        for j in range(columns)
    ]
    return places[0] if len(places) == 1 else jnp.concatenate(places, axis=3)
