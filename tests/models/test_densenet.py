"""The DenseNet121 is the published one, layer by layer."""

import json
from collections import Counter
from typing import Any

import keras
import pytest

from models.architectures import build
from models.legacy.architecture_json import read_architecture
from models.legacy.recognise import recognise
from tests.models.published_network import published_file


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return build("densenet121")


def test_it_has_7_032_257_parameters_of_which_83_648_are_statistics(network: keras.Model) -> None:
    assert network.count_params() == 7_032_257
    assert sum(int(keras.ops.size(w)) for w in network.non_trainable_weights) == 83_648


def test_it_has_58_dense_blocks_and_121_weighted_layers_beside_normalisation(network: keras.Model) -> None:
    kinds = Counter(type(layer).__name__ for layer in network.layers)
    assert kinds["Concatenate"] == 6 + 12 + 24 + 16
    assert kinds["Conv2D"] + kinds["Dense"] == 121
    assert kinds["BatchNormalization"] == 121


def test_maps_shrink_and_channels_grow_as_published(network: keras.Model) -> None:
    shapes = {
        "conv1_conv": (None, 72, 72, 64),
        "pool1": (None, 36, 36, 64),
        "conv2_block6_concat": (None, 36, 36, 256),
        "pool2_pool": (None, 18, 18, 128),
        "pool3_pool": (None, 9, 9, 256),
        "pool4_pool": (None, 4, 4, 512),
        "conv5_block16_concat": (None, 4, 4, 1024),
        "avg_pool": (None, 1024),
        "fc_out": (None, 1),
    }
    assert {name: tuple(network.get_layer(name).output.shape) for name in shapes} == shapes


def test_every_layer_is_the_published_one() -> None:
    file = published_file("densenet121")
    graph = read_architecture(file)
    found = recognise(graph, file.name)
    assert found.architecture == "densenet121"
    published: dict[str, Any] = {
        layer["config"]["name"]: layer for layer in json.loads(file.read_text())["config"]["layers"]
    }
    weighted = [layer for layer in found.network.layers if layer.weights]
    assert [found.names[layer.name].replace("/", "_") for layer in weighted] == [x.name for x in weighted]
    assert set(found.names.values()) == set(published)
    for layer in weighted:
        theirs = published[found.names[layer.name]]["config"]
        for setting in {"filters", "strides", "kernel_size", "use_bias", "epsilon", "momentum"} & set(theirs):
            ours = getattr(layer, setting)
            assert (list(ours) if isinstance(ours, tuple) else ours) == theirs[setting], layer.name
