"""Published networks come in with their scores unchanged, in every layout that Keras wrote."""

import json
import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from models.__main__ import main
from models.architectures import ARCHITECTURES
from models.bundle import load_network, read_card, read_weights
from models.legacy import import_published
from models.legacy.architecture_json import parse_architecture
from models.legacy.recognise import recognise
from tests.models.published_network import (
    NumpyNetwork,
    as_functional,
    different_images,
    published_file,
    vgg6_as_keras_2_wrote_it,
    write_h5,
)

IMAGES = different_images(2)


def scores(folder: Path) -> np.ndarray[Any, Any]:
    return np.asarray(load_network(read_card(folder), read_weights(folder)).predict_on_batch(IMAGES))


@pytest.fixture(scope="module")
def vgg6() -> NumpyNetwork:
    network = NumpyNetwork(vgg6_as_keras_2_wrote_it(), seed=6)
    network(IMAGES)
    return network


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("functional", [False, True])
def test_one_file_or_two_sequential_or_functional_is_all_one(
    vgg6: NumpyNetwork, tmp_path: Path, *, single: bool, functional: bool
) -> None:
    description = as_functional(vgg6.description) if functional else vgg6.description
    weights = write_h5(tmp_path / "vgg6.h5", description, vgg6.weights, single=single)
    architecture = tmp_path / "vgg6.architecture.json"
    architecture.write_text(json.dumps(description))
    card = import_published(
        None if single else architecture,
        weights,
        version="sl@2",
        folder=tmp_path / "sl-2",
        threshold=0.4,
    )
    assert (card.version, card.classifier, card.threshold) == ("sl@2", "sl", 0.4)
    assert card.training["imported_from"]["keras_version"] == "2.2.4"
    np.testing.assert_allclose(scores(tmp_path / "sl-2"), vgg6(IMAGES), rtol=0, atol=1e-5)


def test_names_of_layers_don_t_matter_only_what_they_compute(vgg6: NumpyNetwork, tmp_path: Path) -> None:
    renamed = json.loads(json.dumps(vgg6.description))
    for n, layer in enumerate(renamed["config"]["layers"]):
        layer["config"]["name"] = f"model_3/layer_{99 - n}"
    pairs = zip(vgg6.description["config"]["layers"], renamed["config"]["layers"], strict=True)
    names = {old["config"]["name"]: new["config"]["name"] for old, new in pairs}
    arrays = {names[name]: value for name, value in vgg6.weights.items()}
    weights = write_h5(tmp_path / "renamed.h5", renamed, arrays, single=True)
    import_published(None, weights, version="rb@1", folder=tmp_path / "rb-1")
    np.testing.assert_allclose(scores(tmp_path / "rb-1"), vgg6(IMAGES), rtol=0, atol=1e-5)


def test_long_lists_of_names_that_keras_split_are_joined(vgg6: NumpyNetwork, tmp_path: Path) -> None:
    weights = write_h5(tmp_path / "split.h5", vgg6.description, vgg6.weights, single=True)
    with h5py.File(weights, "r+") as file:
        store = file["model_weights"]
        names = store.attrs.pop("layer_names")
        for n, part in enumerate(np.array_split(names, 3)):
            store.attrs[f"layer_names{n}"] = part
    import_published(None, weights, version="rb@1", folder=tmp_path / "rb-1")
    np.testing.assert_allclose(scores(tmp_path / "rb-1"), vgg6(IMAGES), rtol=0, atol=1e-5)


def test_the_command_imports_and_says_what_it_wrote(
    vgg6: NumpyNetwork, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = write_h5(tmp_path / "vgg6.weights.h5", vgg6.description, vgg6.weights)
    architecture = tmp_path / "vgg6.architecture.json"
    architecture.write_text(json.dumps(vgg6.description))
    folder = tmp_path / "rb-9"
    arguments = ["import-published", "--architecture", str(architecture), "--weights", str(weights)]
    arguments += ["--version", "rb@9", "--threshold", "0.3", "--out", str(folder)]
    assert main(arguments) == 0
    assert read_card(folder).threshold == 0.3
    assert "rb@9: vgg6, 2114033 parameters" in capsys.readouterr().err
    assert main(arguments) == 1
    assert "holds a bundle already" in capsys.readouterr().err


def test_keras_3_s_own_legacy_hdf5_is_read_too(vgg6: NumpyNetwork, tmp_path: Path) -> None:
    source = write_h5(tmp_path / "published.h5", vgg6.description, vgg6.weights, single=True)
    card = import_published(None, source, version="rb@1", folder=tmp_path / "rb-1")
    network = load_network(card, read_weights(tmp_path / "rb-1"))
    with warnings.catch_warnings():  # of Keras, about this format and about NumPy 2
        warnings.simplefilter("ignore")
        network.save(tmp_path / "keras3.h5")
    import_published(None, tmp_path / "keras3.h5", version="rb@2", folder=tmp_path / "rb-2")
    np.testing.assert_array_equal(scores(tmp_path / "rb-2"), scores(tmp_path / "rb-1"))


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_tf_keras_itself_gives_the_same_scores(architecture: str, tmp_path: Path) -> None:
    """Its own files, and its own scores."""
    import tf_keras  # slow to import, so not at the top

    file = published_file(architecture)
    numpy_network = NumpyNetwork(json.loads(file.read_text()), seed=2)
    expected = numpy_network(IMAGES)
    assert np.ptp(expected) > 0.2
    original = tf_keras.models.model_from_json(file.read_text())
    for layer in original.layers:
        if layer.weights:
            layer.set_weights(list(numpy_network.weights[layer.name].values()))
    np.testing.assert_allclose(original.predict_on_batch(IMAGES), expected, rtol=0, atol=1e-5)
    original.save_weights(tmp_path / "original.h5", save_format="h5")
    ours = write_h5(tmp_path / "ours.h5", numpy_network.description, numpy_network.weights)
    with h5py.File(tmp_path / "original.h5") as theirs, h5py.File(ours) as written:
        assert layout(theirs) == layout(written)
    parts: list[tuple[Path | None, Path]] = [(file, tmp_path / "original.h5")]
    if architecture == "vgg6":  # how one file is told from two has nothing to do with what is in them
        with warnings.catch_warnings():  # it says that this format is of the past
            warnings.simplefilter("ignore", UserWarning)
            original.save(tmp_path / "single.h5", save_format="h5")
        parts.append((None, tmp_path / "single.h5"))
    for n, (described, weights) in enumerate(parts):
        folder = tmp_path / f"rb-{n}"
        card = import_published(described, weights, version="rb@9", folder=folder)
        assert (card.architecture, card.weights.dtype) == (architecture, "float32")
        np.testing.assert_allclose(scores(folder), expected, rtol=0, atol=1e-5)


def layout(file: h5py.File) -> list[Any]:
    """Layer names, weight names and shapes, in the file's order."""
    found: list[Any] = []
    for layer in as_texts(file.attrs["layer_names"]):
        weights = as_texts(file[layer].attrs["weight_names"])
        found.append((layer, [(name, file[layer][name].shape) for name in weights]))
    return found


def as_texts(values: Any) -> list[str]:
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


def test_an_architecture_written_by_keras_3_is_recognised_whichever_order_a_sum_has() -> None:
    network = ARCHITECTURES["resnet50"]()
    description = json.loads(network.to_json())
    for layer in description["config"]["layers"]:
        if layer["class_name"] == "Add":
            layer["inbound_nodes"][0]["args"][0].reverse()
    found = recognise(parse_architecture(json.dumps(description), "turned"), "turned")
    assert found.architecture == "resnet50"
    assert all(ours == theirs for ours, theirs in found.names.items())
