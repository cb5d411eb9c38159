"""Networks that are described by data: Keras's own layers, each with plain settings, one after the other.

A description names layers of KINDS and nothing else, and is built here by their constructors: no loader of
Keras sees it and nothing in it is executed.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from core.errors import InvalidRequest
from cutouts.recipes import SIZE_PX

IMPORTED = "imported"
"""The architecture of a card whose network is described beside its weights."""

MAX_LAYERS = 2000
MAX_PARAMETERS = 2**26
"""What fits, as float32, into the largest file of weights that the service takes."""
MAX_VALUES = 2**22
"""What a layer may give for one cutout; ours give at most 331,776."""
MAX_NUMBER = 16_384  # of filters, units, pixels
GREY, COLOUR = (SIZE_PX, SIZE_PX, 1), (SIZE_PX, SIZE_PX, 3)

_CONVOLUTION = ("kernel_size", "strides", "padding", "dilation_rate", "activation", "use_bias")
_POOLING = ("pool_size", "strides", "padding")
KINDS: Mapping[str, tuple[str, ...]] = {
    "Activation": ("activation",),
    "Add": (),
    "AlphaDropout": ("rate",),
    "Average": (),
    "AveragePooling2D": _POOLING,
    "BatchNormalization": ("axis", "momentum", "epsilon", "center", "scale"),
    "Concatenate": ("axis",),
    "Conv2D": ("filters", "groups", *_CONVOLUTION),
    "Conv2DTranspose": ("filters", *_CONVOLUTION),
    "Cropping2D": ("cropping",),
    "Dense": ("units", "activation", "use_bias"),
    "DepthwiseConv2D": ("depth_multiplier", *_CONVOLUTION),
    "Dropout": ("rate",),
    "ELU": ("alpha",),
    "Flatten": (),
    "GaussianDropout": ("rate",),
    "GaussianNoise": ("stddev",),
    "GlobalAveragePooling2D": ("keepdims",),
    "GlobalMaxPooling2D": ("keepdims",),
    "GroupNormalization": ("groups", "axis", "epsilon", "center", "scale"),
    "Identity": (),
    "LayerNormalization": ("axis", "epsilon", "center", "scale"),
    "LeakyReLU": ("negative_slope",),
    "MaxPooling2D": _POOLING,
    "Maximum": (),
    "Minimum": (),
    "Multiply": (),
    "PReLU": ("shared_axes",),
    "ReLU": ("max_value", "negative_slope", "threshold"),
    "Rescaling": ("scale", "offset"),
    "Reshape": ("target_shape",),
    "SeparableConv2D": ("filters", "depth_multiplier", *_CONVOLUTION),
    "Softmax": ("axis",),
    "SpatialDropout2D": ("rate",),
    "Subtract": (),
    "UpSampling2D": ("size", "interpolation"),
    "ZeroPadding2D": ("padding",),
}
"""The layers that a description may name, and the settings that each has."""

ACTIVATIONS = frozenset(
    (
        *("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "swish", "mish", "celu"),
        *("sigmoid", "hard_sigmoid", "hard_silu", "hard_swish", "tanh", "softmax", "softplus", "softsign"),
    )
)
WORDS: Mapping[str, frozenset[str]] = {
    "activation": ACTIVATIONS,
    "padding": frozenset(("valid", "same")),
    "interpolation": frozenset(("nearest", "bilinear")),
}
_FLOATS = frozenset(
    (
        *("alpha", "epsilon", "max_value", "momentum", "negative_slope", "offset", "rate", "scale"),
        *("stddev", "threshold"),
    )
)
_AS_SEEN = 0.1  # a first Rescaling by less than this means images in 0..255


@dataclass(frozen=True)
class Described:
    """One layer: its kind, its settings, and the places of the layers before it that it takes its input from.

    The first is the input, of kind InputLayer, with its shape as the only setting; the last is the output.
    """

    kind: str
    settings: Mapping[str, Any]
    inputs: tuple[int, ...]


def as_json(description: Sequence[Described]) -> list[dict[str, Any]]:
    """Plain JSON, which `from_json` reads."""
    return [{"kind": d.kind, "settings": dict(d.settings), "inputs": list(d.inputs)} for d in description]


def from_json(value: Any) -> list[Described]:
    """A description from plain JSON; raises InvalidRequest for anything else."""
    try:
        return [
            Described(
                str(entry["kind"]), dict(entry["settings"]), tuple(int(place) for place in entry["inputs"])
            )
            for entry in value
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidRequest(f"no description of a network: {type(error).__name__} {error!s:.100}") from error


def build_described(description: Sequence[Described]) -> tuple[keras.Model, list[str]]:
    """The untrained network, and the name of each described layer in it.

    It takes (n, 144, 144, 1) float in 0..1, which goes to all channels of a network for colour, and gives
    (n, 1) probabilities. Raises InvalidRequest, with what came and what was expected, for a layer or a
    setting that is not in KINDS, for an input of another shape, for anything but one sigmoid as output, and
    for a network that is too large; nothing large is allocated before that is known.
    """
    if not 2 <= len(description) <= MAX_LAYERS:
        raise InvalidRequest(f"{len(description)} layers; expected 2 to {MAX_LAYERS}")
    image = keras.Input(GREY, name="image")
    tensors = [_input(image, description[0])]
    names = ["image"]
    parameters = 0
    for place, described in enumerate(description[1:], start=1):
        name = f"{described.kind.lower()}_{place}"
        inputs = _inputs(described, tensors, name)
        _check_settings(described, name)
        _refuse_bytes_of_grey(described, name)
        parameters += _parameters(described, [tuple(tensor.shape) for tensor in inputs])
        if parameters > MAX_PARAMETERS:
            raise InvalidRequest(
                f"over {MAX_PARAMETERS} parameters as far as {name}; expected at most that many"
            )
        tensors.append(_output(described, inputs, name))
        names.append(name)
    _check_end(description[-1], tuple(tensors[-1].shape))
    return keras.Model(image, tensors[-1], name=IMPORTED), names


def _input(image: Any, described: Described) -> Any:
    shape = described.settings.get("shape")
    if described.kind != "InputLayer" or described.inputs:
        raise InvalidRequest(f"its first layer is a {described.kind:.60}; expected an InputLayer")
    if not isinstance(shape, list | tuple) or tuple(shape) not in (GREY, COLOUR):
        raise InvalidRequest(f"it takes images of shape {shape!r:.60}; expected {GREY} or {COLOUR}")
    return image if tuple(shape) == GREY else layers.Concatenate(name="grey_thrice")([image] * 3)


def _inputs(described: Described, tensors: list[Any], name: str) -> list[Any]:
    if not described.inputs or any(not 0 <= place < len(tensors) for place in described.inputs):
        raise InvalidRequest(f"{name} takes its input from {described.inputs}; expected layers before it")
    return [tensors[place] for place in described.inputs]


def _check_settings(described: Described, name: str) -> None:
    """Raise InvalidRequest unless these are the settings of the kind, as plain and bounded values."""
    if described.kind not in KINDS:
        raise InvalidRequest(f"{name} is a {described.kind:.60}; expected one of {', '.join(KINDS)}")
    if set(described.settings) != set(KINDS[described.kind]):
        raise InvalidRequest(
            f"{name} has the settings {', '.join(map(str, described.settings))!s:.200}; "
            f"expected {', '.join(KINDS[described.kind]) or 'none'}"
        )
    for key, value in described.settings.items():
        if not _is_plain(key, value):
            raise InvalidRequest(f"{name} has {key}={value!r:.80}; expected a plain value within bounds")


def _is_plain(key: str, value: Any, depth: int = 0) -> bool:
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, str):
        return value in WORDS.get(key, ())
    if isinstance(value, int):
        return abs(value) <= MAX_NUMBER
    if isinstance(value, float):
        return key in _FLOATS and math.isfinite(value) and abs(value) <= 1e6
    if not isinstance(value, list | tuple) or len(value) > 4 or depth > 1:
        return False
    return all(_is_plain(key, entry, depth + 1) for entry in value)


def _refuse_bytes_of_grey(described: Described, name: str) -> None:
    scale = described.settings.get("scale") if described.kind == "Rescaling" else None
    if described.inputs == (0,) and isinstance(scale, float) and 0 < abs(scale) < _AS_SEEN:
        raise InvalidRequest(
            f"{name} multiplies the image by {scale:.4g}, as one in 0..255 needs it; expected a network for "
            "images in 0..1, which the recipe makes: leave that layer out"
        )


def _parameters(described: Described, shapes: list[tuple[int | None, ...]]) -> int:
    """How many numbers the layer will hold; raises InvalidRequest where its settings do not fit together."""
    count = _COUNTS.get(described.kind)
    if count is None:
        return 0
    try:
        held = count(dict(described.settings), shapes[0])
        if held < 0:
            raise ValueError(f"{held} parameters")
        return held
    except (TypeError, ValueError, IndexError, ZeroDivisionError) as error:
        raise InvalidRequest(
            f"a {described.kind} of {dict(described.settings)!r:.200} on {shapes[0]}; "
            "expected settings that fit its input"
        ) from error


def _kernel(settings: dict[str, Any]) -> int:
    size = settings["kernel_size"]
    return math.prod(size) if isinstance(size, list | tuple) else int(size) ** 2


def _channels(shape: tuple[int | None, ...]) -> int:
    if shape[-1] is None:
        raise ValueError("the last axis has no size")
    return shape[-1]


_Count = Callable[[dict[str, Any], tuple[int | None, ...]], int]
_COUNTS: dict[str, _Count] = {
    "Conv2D": lambda s, x: _kernel(s) * (_channels(x) // s["groups"]) * s["filters"] + s["filters"],
    "Conv2DTranspose": lambda s, x: _kernel(s) * _channels(x) * s["filters"] + s["filters"],
    "DepthwiseConv2D": lambda s, x: (_kernel(s) + 1) * _channels(x) * s["depth_multiplier"],
    "SeparableConv2D": lambda s, x: (
        (_kernel(s) + s["filters"]) * _channels(x) * s["depth_multiplier"] + s["filters"]
    ),
    "Dense": lambda s, x: (_channels(x) + 1) * int(s["units"]),
    "BatchNormalization": lambda _, x: 4 * max(size or 0 for size in x),
    "GroupNormalization": lambda _, x: 2 * max(size or 0 for size in x),
    "LayerNormalization": lambda _, x: 2 * math.prod(size for size in x[1:] if size),
    "PReLU": lambda _, x: math.prod(size for size in x[1:] if size),
}


def _output(described: Described, inputs: list[Any], name: str) -> Any:
    try:
        layer = getattr(layers, described.kind)(name=name, **described.settings)
        merges = described.kind in _MERGES
        if not merges and len(inputs) != 1:
            raise InvalidRequest(f"{name}, a {described.kind}, takes {len(inputs)} inputs; expected one")
        shapes = [tensor.shape for tensor in inputs]
        shape = layer.compute_output_shape(shapes if merges else shapes[0])
        if math.prod(size or 1 for size in shape[1:]) > MAX_VALUES:
            raise InvalidRequest(f"{name} gives {shape[1:]} values; expected at most {MAX_VALUES}")
        return layer(inputs if merges else inputs[0])
    except InvalidRequest:
        raise
    except Exception as error:  # Keras's own, of any kind, for settings that do not fit
        raise InvalidRequest(
            f"{name}, a {described.kind} of {dict(described.settings)!r:.200}, can't be built: {error!s:.300}"
        ) from error


_MERGES = frozenset(("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract"))


def _check_end(last: Described, shape: tuple[int | None, ...]) -> None:
    if shape != (None, 1):
        raise InvalidRequest(f"its output has the shape {shape}; expected (None, 1), one number per cutout")
    if last.settings.get("activation") != "sigmoid":
        told = ", ".join(f"{key}={value}" for key, value in last.settings.items())
        raise InvalidRequest(f"its last layer is a {last.kind}({told}); expected one that ends in a sigmoid")
