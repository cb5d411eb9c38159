"""`.keras` files: read as data, one of our architectures or a refusal."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from core.errors import InvalidRequest
from models.architectures import build
from models.bundle import load_network, read_weights
from models.legacy import hdf5, import_keras, keras_file

# Of Keras while it saves: it copies TensorFlow's variables in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

Members = dict[str, bytes]


def randomised(network: keras.Model, seed: int) -> keras.Model:
    """The network with weights of which no two are alike, variances above zero."""
    rng = np.random.default_rng(seed)
    network.set_weights([np.abs(rng.normal(0.5, 0.1, w.shape)) for w in network.get_weights()])
    return network


@pytest.fixture(scope="module")
def vgg6(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keras") / "vgg6.keras"
    randomised(build("vgg6"), 1).save(path)
    return path


@pytest.mark.parametrize("architecture", ["resnet50", "vgg6"])
def test_a_keras_file_comes_in_with_every_weight_in_its_place(architecture: str, tmp_path: Path) -> None:
    network = randomised(build(architecture), 2)
    network.save(tmp_path / "mine.keras")
    card = import_keras(tmp_path / "mine.keras", version="rb@4", folder=tmp_path / "rb-4", threshold=0.6)
    assert (card.architecture, card.threshold, card.weights.dtype) == (architecture, 0.6, "float32")
    assert list(card.training["imported_from"]["files"]) == ["mine.keras"]
    loaded = load_network(card, read_weights(tmp_path / "rb-4"))
    for before, after in zip(network.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(after, before)


def test_a_lambda_is_refused_and_not_run(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    network = keras.Sequential(
        [keras.Input((144, 144, 1)), layers.Flatten(), layers.Dense(1), layers.Lambda(lambda x: x * 2)]
    )
    network.save(tmp_path / "sly.keras")
    with pytest.raises(InvalidRequest, match="is a Lambda, which holds code; nothing in a model file"):
        import_keras(tmp_path / "sly.keras", version="rb@4", folder=tmp_path / "rb-4")
    assert not sprung.exists()


def test_another_network_is_refused_with_what_differs(tmp_path: Path) -> None:
    network = keras.Sequential([keras.Input((144, 144, 1)), layers.Flatten(), layers.Dense(1, "sigmoid")])
    network.save(tmp_path / "small.keras")
    with pytest.raises(InvalidRequest, match=r"is none of densenet121, resnet50, vgg6; it differs from vgg6"):
        import_keras(tmp_path / "small.keras", version="rb@4", folder=tmp_path / "rb-4")


def changed(file: Path, target: Path, change: Callable[[Members], None]) -> Path:
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target


def in_weights(change: Callable[[h5py.File], None]) -> Callable[[Members], None]:
    def apply(members: Members) -> None:
        buffer = io.BytesIO(members[keras_file.WEIGHTS])
        with h5py.File(buffer, "r+") as file:
            change(file)
        members[keras_file.WEIGHTS] = buffer.getvalue()

    return apply


def a_custom_object(members: Members) -> None:
    config = json.loads(members[keras_file.CONFIG])
    config["config"]["layers"][1].update(module="builtins", registered_name="mine>Conv2D")
    members[keras_file.CONFIG] = json.dumps(config).encode()


def quantised(members: Members) -> None:
    config = json.loads(members[keras_file.CONFIG])
    policy = {"class_name": "QuantizedDTypePolicy", "config": {"mode": "int8", "name": "int8_from_float32"}}
    config["config"]["layers"][1]["config"]["dtype"] = policy
    members[keras_file.CONFIG] = json.dumps(config).encode()


def a_file_more(members: Members) -> None:
    members["assets/run.py"] = b""


def no_weights(members: Members) -> None:
    del members[keras_file.WEIGHTS]


def half_the_weights(members: Members) -> None:
    members[keras_file.WEIGHTS] = members[keras_file.WEIGHTS][:100_000]


def outside(file: h5py.File) -> None:
    file["layers/conv2d/vars/9"] = h5py.ExternalLink("/etc/hostname", "/x")


def an_array_more(file: h5py.File) -> None:
    file["layers/conv2d/vars/2"] = np.zeros(3, np.float32)


def a_layer_more(file: h5py.File) -> None:
    file["layers/conv2d_9/vars/0"] = np.zeros(3, np.float32)


def layers_swapped(file: h5py.File) -> None:
    file["layers"].move("conv2d_2", "aside")
    file["layers"].move("conv2d_3", "conv2d_2")
    file["layers"].move("aside", "conv2d_3")


def not_finite(file: h5py.File) -> None:
    file["layers/dense/vars/1"][3] = np.inf


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (a_custom_object, "custom object, 'mine>Conv2D' of 'builtins'; expected Keras's own layers"),
        (quantised, "'conv1' has dtype 'int8_from_float32'; expected one of float32"),
        (a_file_more, r"holds metadata\.json, config\.json, model\.weights\.h5, assets/run\.py; expected"),
        (no_weights, r"holds metadata\.json, config\.json; expected"),
        (half_the_weights, r"bad\.keras: model\.weights\.h5 is truncated or corrupt"),
        (in_weights(outside), r"is a link to '/etc/hostname /x' \(ExternalLink\)"),
        (in_weights(an_array_more), "holds 3 arrays of layer 'conv1'; expected 2 of 'conv1': kernel, bias"),
        (in_weights(a_layer_more), "weights of conv2d_9 too many; expected those of 6 layers"),
        (in_weights(layers_swapped), "arrays of layer 'conv4'; expected 2 of 'conv3'"),
        (in_weights(not_finite), "holds 1 values that are not finite"),
    ],
)
def test_a_bad_keras_file_is_refused(
    change: Callable[[Members], None], said: str, vgg6: Path, tmp_path: Path
) -> None:
    file = changed(vgg6, tmp_path / "bad.keras", change)
    with pytest.raises(InvalidRequest, match=said):
        import_keras(file, version="rb@4", folder=tmp_path / "rb-4")
    assert not (tmp_path / "rb-4").exists()


def test_a_damaged_archive_is_refused(vgg6: Path, tmp_path: Path) -> None:
    damaged = bytearray(vgg6.read_bytes())
    damaged[5_000_000] ^= 1
    for name, content in {"flipped": bytes(damaged), "cut": bytes(damaged[:5_000_000])}.items():
        file = tmp_path / f"{name}.keras"
        file.write_bytes(content)
        with pytest.raises(InvalidRequest, match=r"damaged archive|expected an HDF5 file"):
            import_keras(file, version="rb@4", folder=tmp_path / "rb-4")


def test_an_oversized_member_is_refused_unread(
    vgg6: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hdf5, "MAX_BYTES", 1000)
    with pytest.raises(InvalidRequest, match=r"model\.weights\.h5 is \d+ bytes; expected at most 1000"):
        import_keras(vgg6, version="rb@4", folder=tmp_path / "rb-4")


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"absent\.keras .*No such file"):
        import_keras(tmp_path / "absent.keras", version="rb@4", folder=tmp_path / "rb-4")


def test_what_came_in_scores_as_keras_s_own_loader_does(vgg6: Path, tmp_path: Path) -> None:
    card = import_keras(vgg6, version="rb@4", folder=tmp_path / "rb-4")
    images: Any = np.random.default_rng(0).random((2, 144, 144, 1), np.float32)
    ours = load_network(card, read_weights(tmp_path / "rb-4")).predict_on_batch(images)
    theirs = keras.saving.load_model(vgg6, compile=False, safe_mode=True).predict_on_batch(images)
    np.testing.assert_array_equal(ours, theirs)
