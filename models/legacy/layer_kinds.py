"""The kinds of layer that networks are read from files with, and what decides the arithmetic of each."""

from typing import Any

from core.errors import InvalidRequest

Settings = dict[str, Any]

REQUIRED = object()
CHANNELS_LAST = {"data_format": "channels_last"}
POOLING: Settings = {"pool_size": REQUIRED, "strides": REQUIRED, "padding": "valid", **CHANNELS_LAST}

CONVOLUTION: Settings = {
    "kernel_size": REQUIRED,
    "strides": [1, 1],
    "padding": "valid",
    "dilation_rate": [1, 1],
    "activation": "linear",
    "use_bias": True,
    **CHANNELS_LAST,
}
NORMALIZATION: Settings = {"axis": -1, "epsilon": REQUIRED, "center": True, "scale": True}

# Settings of each kind, with the value that holds where a file of an older Keras does not name one.
KINDS: dict[str, Settings] = {
    "InputLayer": {"shape": REQUIRED, "sparse": False, "ragged": False, "optional": False},
    "ZeroPadding2D": {"padding": REQUIRED, **CHANNELS_LAST},
    "Conv2D": {"filters": REQUIRED, "groups": 1, **CONVOLUTION},
    "BatchNormalization": {
        "axis": REQUIRED,
        "momentum": REQUIRED,
        "epsilon": REQUIRED,
        "center": True,
        "scale": True,
        "renorm": False,
        "synchronized": False,
    },
    "Activation": {"activation": REQUIRED},
    "MaxPooling2D": POOLING,
    "AveragePooling2D": POOLING,
    "GlobalAveragePooling2D": {"keepdims": False, **CHANNELS_LAST},
    "Add": {},
    "Concatenate": {"axis": REQUIRED},
    "Flatten": CHANNELS_LAST,
    "Dropout": {"rate": REQUIRED, "noise_shape": None},
    "Dense": {"units": REQUIRED, "activation": "linear", "use_bias": True},
    "AlphaDropout": {"rate": REQUIRED, "noise_shape": None},
    "Average": {},
    "Conv2DTranspose": {"filters": REQUIRED, **CONVOLUTION, "output_padding": None},
    "Cropping2D": {"cropping": REQUIRED, **CHANNELS_LAST},
    "DepthwiseConv2D": {"depth_multiplier": 1, **CONVOLUTION},
    "ELU": {"alpha": 1.0},
    "GaussianDropout": {"rate": REQUIRED},
    "GaussianNoise": {"stddev": REQUIRED},
    "GlobalMaxPooling2D": {"keepdims": False, **CHANNELS_LAST},
    "GroupNormalization": {"groups": REQUIRED, **NORMALIZATION},
    "Identity": {},
    "LayerNormalization": {**NORMALIZATION, "rms_scaling": False},
    "LeakyReLU": {"negative_slope": REQUIRED},
    "Maximum": {},
    "Minimum": {},
    "Multiply": {},
    "PReLU": {"shared_axes": None},
    "ReLU": {"max_value": None, "negative_slope": 0.0, "threshold": 0.0},
    "Rescaling": {"scale": REQUIRED, "offset": 0.0},
    "Reshape": {"target_shape": REQUIRED},
    "SeparableConv2D": {"filters": REQUIRED, "depth_multiplier": 1, **CONVOLUTION},
    "Softmax": {"axis": -1},
    "SpatialDropout2D": {"rate": REQUIRED, **CHANNELS_LAST},
    "Subtract": {},
    "UpSampling2D": {"size": REQUIRED, "interpolation": "nearest", **CHANNELS_LAST},
}

# What only matters while a network is made or trained.
WITHOUT_EFFECT = frozenset(
    (
        *("name", "trainable", "dtype", "batch_input_shape", "batch_shape", "seed"),
        *("renorm_clipping", "renorm_momentum", "activity_regularizer"),
    )
)
WITHOUT_EFFECT_ENDINGS = ("_initializer", "_regularizer", "_constraint")
FLOATS = ("float32", "mixed_float16", "mixed_bfloat16")


def settings_of(name: str, kind: str, config: Settings) -> Settings:
    """The settings of a layer's configuration that decide its arithmetic.

    Raises InvalidRequest for a kind that none of our architectures has, for a setting that is missing or
    that we do not know, and for a dtype whose arithmetic is not float32's.
    """
    if kind not in KINDS:
        raise InvalidRequest(f"layer {name!r} is a {kind}; expected one of {', '.join(KINDS)}")
    defaults = KINDS[kind]
    if kind == "InputLayer":
        batch_shape = config.get("batch_shape", config.get("batch_input_shape"))
        config = config | {"shape": batch_shape[1:] if isinstance(batch_shape, list) else batch_shape}
    unknown = sorted(key for key in config if key not in defaults and not _without_effect(key, config[key]))
    if unknown:
        raise InvalidRequest(
            f"layer {name!r}, a {kind}, has {unknown[0]}={config[unknown[0]]!r:.80}, unknown here"
        )
    _check_dtype(name, config.get("dtype"))
    found = {key: config.get(key, default) for key, default in defaults.items()}
    missing = [key for key, value in found.items() if value is REQUIRED]
    if missing:
        raise InvalidRequest(f"layer {name!r}, a {kind}, does not say its {', '.join(missing)}")
    return {key: _plain(key, value) for key, value in found.items()}


def _without_effect(key: str, value: object) -> bool:
    return key in WITHOUT_EFFECT or key.endswith(WITHOUT_EFFECT_ENDINGS) or value is None


def _check_dtype(name: str, dtype: Any) -> None:
    """A policy is a name, or an object that holds one (Keras 3)."""
    if isinstance(dtype, dict):
        dtype = dtype["config"].get("name") if isinstance(dtype.get("config"), dict) else dtype
    if dtype is not None and dtype not in FLOATS:
        raise InvalidRequest(f"layer {name!r} has dtype {dtype!r:.80}; expected one of {', '.join(FLOATS)}")


def _plain(key: str, value: Any) -> Any:
    """One way to write a value: images have four axes, and the last is the channels."""
    if key == "axis":
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        return -1 if value == 3 else value
    return value
