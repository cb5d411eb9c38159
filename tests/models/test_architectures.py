"""Architectures: layer by layer those that were published."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from core.errors import Misconfigured
from models.architectures import ARCHITECTURES, build

PUBLISHED = Path(__file__).parents[2].parent / "shared" / "published-architectures"
PARAMETERS = {"densenet121": 7_032_257, "resnet50": 17_386_753, "vgg6": 2_114_033}
FILES = {
    "densenet121": "DenseNet121.architecture.json",
    "resnet50": "ResNet50.architecture.json",
    "vgg6": "VGG6.architecture.json",
}
WEIGHTED = ("Conv2D", "Dense", "BatchNormalization")
COMPARED = (
    *("filters", "units", "kernel_size", "strides", "padding", "pool_size", "epsilon", "momentum"),
    *("activation", "use_bias", "rate"),
)
Named = tuple[str, keras.Model]
Told = tuple[str, dict[str, Any]]


@pytest.fixture(scope="module", params=sorted(ARCHITECTURES))
def architecture(request: pytest.FixtureRequest) -> Named:
    return request.param, build(request.param)


def test_the_parameter_count_is_the_published_one(architecture: Named) -> None:
    name, network = architecture
    assert network.count_params() == PARAMETERS[name]


def test_input_and_output_are_the_predecessors(architecture: Named) -> None:
    _, network = architecture
    assert network.input_shape == (None, 144, 144, 1)
    assert network.output_shape == (None, 1)


def test_scores_are_probabilities(architecture: Named) -> None:
    _, network = architecture
    images = np.random.default_rng(0).random((2, 144, 144, 1), np.float32)
    scores = network.predict_on_batch(images)
    assert scores.dtype == np.float32
    assert ((scores > 0) & (scores < 1)).all()


def test_layer_by_layer_it_is_the_published_network(architecture: Named) -> None:
    name, network = architecture
    file = PUBLISHED / FILES[name]
    if not file.exists():
        pytest.skip(f"{file.name} is not in ../shared/published-architectures")
    published = layers_of(json.loads(file.read_text())["config"]["layers"])
    ours = layers_of([{"class_name": type(x).__name__, "config": x.get_config()} for x in network.layers])
    assert {name: x for name, x in ours if x[0] in WEIGHTED} == {
        name: x for name, x in published if x[0] in WEIGHTED
    }
    assert sorted(json.dumps(x) for _, x in ours) == sorted(json.dumps(x) for _, x in published)


def layers_of(layers: list[dict[str, Any]]) -> list[tuple[str, Told]]:
    """Names, without slashes, and what decides the arithmetic of all but the input."""
    return [
        (layer["config"]["name"].replace("/", "_"), told(layer["class_name"], layer["config"]))
        for layer in layers
        if layer["class_name"] != "InputLayer"
    ]


def told(kind: str, config: dict[str, Any]) -> Told:
    """What decides a layer's arithmetic, the way of writing it down aside."""
    values = {name: config[name] for name in COMPARED if name in config}
    if kind == "ZeroPadding2D":
        values["padding"] = config["padding"]
    return kind, {name: plain(value) for name, value in sorted(values.items())}


def plain(value: Any) -> Any:
    return [plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def test_an_unknown_architecture_is_refused_by_name() -> None:
    with pytest.raises(Misconfigured, match=r"'vgg7'.*resnet50, vgg6"):
        build("vgg7")
