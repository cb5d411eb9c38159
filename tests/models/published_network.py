"""Networks as Keras 2.2.4 wrote them, computed by plain numpy in float64, and files in its layout.

Nothing here knows our architectures or Keras: a test may hold both against it.
"""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

PUBLISHED = Path(__file__).parents[2].parent / "shared" / "published-architectures"
FILES = {
    "resnet50": "ResNet50.architecture.json",
    "vgg6": "VGG6.architecture.json",
    "densenet121": "DenseNet121.architecture.json",
}

Array = NDArray[Any]
LayerWeights = dict[str, Array]


def published_file(architecture: str) -> Path:
    """The architecture file that the predecessors published; skips the test where it is absent."""
    path = PUBLISHED / FILES[architecture]
    if not path.exists():
        pytest.skip(f"{path.name} is not in ../shared/published-architectures")
    return path


def different_images(count: int) -> NDArray[np.float32]:
    """(count, 144, 144, 1) float32 in 0..1, unlike each other: smooth, striped and noisy."""
    rng = np.random.default_rng(count)
    y, x = np.mgrid[:144, :144] / 144
    images = [0.5 + 0.3 * np.sin(2 * (n + 1) * x + 9 * n * y) for n in range(count)]
    noise = [rng.normal(0, 0.1 * (1 + n), (144, 144)) for n in range(count)]
    return np.asarray(np.clip(np.array(images) + np.array(noise), 0, 1)[..., None], np.float32)


class NumpyNetwork:
    """A network of a Keras 2 description; its random weights are drawn while it first computes.

    The statistics of batch normalisation lie near those of what passes, so that signals stay of order one.
    """

    def __init__(self, description: dict[str, Any], seed: int) -> None:
        self.description = description
        self.weights: dict[str, LayerWeights] = {}
        self._rng = np.random.default_rng(seed)

    def __call__(self, images: NDArray[np.float32]) -> Array:
        """The output for (n, 144, 144, 1) images."""
        layers = self.description["config"]["layers"]
        out: dict[str, Array] = {}
        previous = images.astype(np.float64)
        for layer in layers:
            name = layer["config"]["name"]
            sources = [source[0] for node in layer.get("inbound_nodes", []) for source in node]
            inputs = [out[source] for source in sources] or [previous]
            previous = out[name] = self._compute(layer["class_name"], layer["config"], inputs)
        return previous

    def _compute(self, kind: str, config: dict[str, Any], inputs: list[Array]) -> Array:
        return np.asarray(self._computed(kind, config, inputs))

    def _computed(self, kind: str, config: dict[str, Any], inputs: list[Array]) -> Any:
        x = inputs[0]
        match kind:
            case "InputLayer" | "Dropout":
                return x
            case "ZeroPadding2D":
                return np.pad(x, ((0, 0), *config["padding"], (0, 0)))
            case "Conv2D":
                return _activate(self._convolve(x, config), config)
            case "BatchNormalization":
                w = self._drawn(config["name"], lambda: self._normalisation(x))
                scale = w["gamma"] / np.sqrt(w["moving_variance"] + config["epsilon"])
                return (x - w["moving_mean"]) * scale + w["beta"]
            case "Activation":
                return _activate(x, config)
            case "MaxPooling2D":
                return np.max(_windows(x, config["pool_size"], config["strides"]), axis=0)
            case "AveragePooling2D":
                return np.mean(_windows(x, config["pool_size"], config["strides"]), axis=0)
            case "GlobalAveragePooling2D":
                return x.mean(axis=(1, 2))
            case "Add":
                return np.sum(inputs, axis=0)
            case "Concatenate":
                return np.concatenate(inputs, axis=-1)
            case "Flatten":
                return x.reshape(len(x), -1)
            case "Dense":
                w = self._drawn(config["name"], lambda: self._dense(x, config))
                return _activate(x @ w["kernel"] + w["bias"], config)
        raise AssertionError(kind)

    def _convolve(self, x: Array, config: dict[str, Any]) -> Array:
        height, width = config["kernel_size"]
        shape = (height, width, x.shape[-1], config["filters"])
        w = self._drawn(config["name"], lambda: self._convolution(shape, bias=config["use_bias"]))
        if config["padding"] == "same":
            assert config["strides"] == [1, 1]
            x = np.pad(x, ((0, 0), ((height - 1) // 2, height // 2), ((width - 1) // 2, width // 2), (0, 0)))
        kernels = w["kernel"].reshape(height * width, *shape[2:])
        windows = _windows(x, (height, width), config["strides"])
        total = sum(np.tensordot(window, kernel, 1) for window, kernel in zip(windows, kernels, strict=True))
        return np.asarray(total + w.get("bias", 0.0))

    def _drawn(self, name: str, draw: Any) -> LayerWeights:
        if name not in self.weights:
            self.weights[name] = {key: value.astype(np.float32) for key, value in draw().items()}
        return {key: value.astype(np.float64) for key, value in self.weights[name].items()}

    def _convolution(self, shape: tuple[int, ...], *, bias: bool) -> LayerWeights:
        kernel = self._rng.normal(0, np.sqrt(2 / np.prod(shape[:3])), shape)
        return {"kernel": kernel} | ({"bias": self._rng.normal(0, 0.1, shape[3])} if bias else {})

    def _normalisation(self, x: Array) -> LayerWeights:
        mean, variance, channels = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2)), x.shape[-1]
        return {
            "gamma": self._rng.uniform(0.5, 1.5, channels),
            "beta": self._rng.normal(0, 0.3, channels),
            "moving_mean": mean + self._rng.normal(0, 0.2, channels) * np.sqrt(variance),
            "moving_variance": variance * self._rng.uniform(0.5, 2, channels) + 1e-3,
        }

    def _dense(self, x: Array, config: dict[str, Any]) -> LayerWeights:
        """The last one looks where these inputs differ, so that no sigmoid near 0 or 1 hides a difference."""
        kernel = self._rng.normal(0, 1 / np.sqrt(x.shape[-1]), (x.shape[-1], config["units"]))
        bias = self._rng.normal(0, 0.1, config["units"])
        if config["activation"] == "sigmoid":
            kernel += (x - x.mean(axis=0)).T @ self._rng.normal(0, 1, (len(x), config["units"]))
            kernel /= (x @ kernel).std()
            bias = -(x @ kernel).mean(axis=0)
        return {"kernel": kernel, "bias": bias}


def _windows(x: Array, size: Any, strides: Any) -> list[Array]:
    """Shifted views, one for each place in a window, each (n, rows, columns, channels)."""
    (height, width), (down, right) = size, strides
    rows, columns = (x.shape[1] - height) // down + 1, (x.shape[2] - width) // right + 1
    return [
        x[:, i : i + down * rows : down, j : j + right * columns : right]
        for i in range(height)
        for j in range(width)
    ]


def _activate(x: Array, config: dict[str, Any]) -> Array:
    match config["activation"]:
        case "relu":
            return np.maximum(x, 0)
        case "sigmoid":
            return np.asarray(1 / (1 + np.exp(-x)))
    assert config["activation"] == "linear"
    return x


def write_h5(
    path: Path,
    description: dict[str, Any],
    weights: dict[str, LayerWeights],
    *,
    single: bool = False,
    compression: str | None = None,
) -> Path:
    """Weights in Keras 2.2.4's layout: `save_weights`, or with the architecture beside them, `save`."""
    with h5py.File(path, "w") as file:
        store = file.create_group("model_weights") if single else file
        layers = description["config"]["layers"]
        names = [layer["config"]["name"] for layer in layers]
        store.attrs["layer_names"] = np.array([name.encode() for name in names])
        for holder in {store, file}:
            holder.attrs["backend"], holder.attrs["keras_version"] = b"tensorflow", b"2.2.4"
        for name in names:
            arrays = weights.get(name, {})
            group = store.create_group(name)
            group.attrs["weight_names"] = np.array([f"{name}/{key}:0".encode() for key in arrays] or [])
            for key, array in arrays.items():
                group.create_dataset(f"{name}/{key}:0", data=array, compression=compression)
        if single:
            architecture = {key: description[key] for key in ("class_name", "config")}
            file.attrs["model_config"] = json.dumps(architecture).encode()
            file.create_group("optimizer_weights").create_dataset("Adam/iterations:0", data=np.int64(7))
    return path


def vgg6_as_keras_2_wrote_it() -> dict[str, Any]:
    """The description of VGG6, Sequential, the input told by its first layer alone."""

    def conv(name: str, filters: int, **more: Any) -> dict[str, Any]:
        return _entry(
            "Conv2D",
            name,
            filters=filters,
            kernel_size=[3, 3],
            strides=[1, 1],
            padding="valid",
            data_format="channels_last",
            dilation_rate=[1, 1],
            activation="relu",
            use_bias=True,
            kernel_initializer={"class_name": "VarianceScaling", "config": {"scale": 1.0}},
            kernel_regularizer=None,
            **more,
        )

    def pool(n: int, size: int) -> dict[str, Any]:
        square = [size, size]
        return _entry("MaxPooling2D", f"max_pooling2d_{n}", pool_size=square, strides=square, padding="valid")

    def dropout(n: int, rate: float) -> dict[str, Any]:
        return _entry("Dropout", f"dropout_{n}", rate=rate, noise_shape=None, seed=None)

    def dense(name: str, units: int, activation: str) -> dict[str, Any]:
        return _entry("Dense", name, units=units, activation=activation, use_bias=True)

    layers = [
        conv("conv1", 16, batch_input_shape=[None, 144, 144, 1], dtype="float32"),
        conv("conv2", 16),
        pool(1, 2),
        dropout(1, 0.25),
        conv("conv3", 32),
        conv("conv4", 32),
        pool(2, 4),
        dropout(2, 0.25),
        _entry("Flatten", "flatten_1", data_format="channels_last"),
        dense("fc_1", 256, "relu"),
        dropout(3, 0.5),
        dense("fc_out", 1, "sigmoid"),
    ]
    config = {"name": "VGG6", "layers": layers}
    return {"class_name": "Sequential", "config": config, "keras_version": "2.2.4", "backend": "tensorflow"}


def _entry(kind: str, name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": {"name": name, "trainable": True, **config}}


def as_functional(description: dict[str, Any]) -> dict[str, Any]:
    """A Sequential description as the functional one of the same network."""
    entries = description["config"]["layers"]
    shape = {"batch_input_shape": [None, 144, 144, 1], "dtype": "float32", "sparse": False, "name": "input_1"}
    layers: list[dict[str, Any]] = [
        {"class_name": "InputLayer", "config": shape, "name": "input_1", "inbound_nodes": []}
    ]
    for entry in entries:
        nodes = [[[layers[-1]["name"], 0, 0, {}]]]
        layers.append({**entry, "name": entry["config"]["name"], "inbound_nodes": nodes})
    config = {
        "name": description["config"]["name"],
        "layers": layers,
        "input_layers": [["input_1", 0, 0]],
        "output_layers": [[layers[-1]["name"], 0, 0]],
    }
    return {**description, "class_name": "Model", "config": config}


def empty_vgg6_weights() -> dict[str, LayerWeights]:
    """Zeros in the shapes of VGG6."""
    shapes: dict[str, tuple[int, ...]] = {
        "conv1": (3, 3, 1, 16),
        "conv2": (3, 3, 16, 16),
        "conv3": (3, 3, 16, 32),
        "conv4": (3, 3, 32, 32),
        "fc_1": (8192, 256),
        "fc_out": (256, 1),
    }
    return {
        name: {"kernel": np.zeros(s, np.float32), "bias": np.zeros(s[-1], np.float32)}
        for name, s in shapes.items()
    }
