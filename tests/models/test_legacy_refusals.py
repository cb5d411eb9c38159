"""Bad model files: each is refused with what came and what was expected, nothing runs, nothing is written."""

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from core.errors import InvalidRequest
from models.legacy import architecture_json, hdf5, import_published
from models.legacy.published import check_weights
from tests.models.published_network import (
    as_functional,
    empty_vgg6_weights,
    vgg6_as_keras_2_wrote_it,
    write_h5,
)

Description = dict[str, Any]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a good weights file; zeros, so that it is small."""
    path = tmp_path_factory.mktemp("good") / "good.h5"
    write_h5(path, vgg6_as_keras_2_wrote_it(), empty_vgg6_weights(), compression="gzip")
    return path.read_bytes()


@pytest.fixture
def weights(good: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "w.weights.h5"
    path.write_bytes(good)
    return path


def layers(description: Description) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = description["config"]["layers"]
    return found


def refused(
    tmp_path: Path, weights: Path, match: str, architecture: Description | bytes | None = None
) -> None:
    """Check that an import is refused and leaves nothing behind."""
    content = vgg6_as_keras_2_wrote_it() if architecture is None else architecture
    file = tmp_path / "a.architecture.json"
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    folder = tmp_path / "rb-9"
    with pytest.raises(InvalidRequest, match=match) as refusal:
        import_published(file, weights, version="rb@9", folder=folder)
    assert len(str(refusal.value)) < 1500
    assert not folder.exists()


def test_the_file_that_the_others_are_made_from_is_good(weights: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.architecture.json"
    file.write_text(json.dumps(vgg6_as_keras_2_wrote_it()))
    assert import_published(file, weights, version="rb@9", folder=tmp_path / "rb-9").architecture == "vgg6"


def a_lambda(d: Description) -> None:
    layers(d)[8] = {"class_name": "Lambda", "config": {"name": "sly", "function": ["4wEA", None, None]}}


def a_nested_lambda(d: Description) -> None:
    inner = {"class_name": "Lambda", "config": {"name": "deep"}}
    layers(d)[3] = {"class_name": "Sequential", "config": {"name": "inner", "layers": [inner]}}


def a_lambda_as_activation(d: Description) -> None:
    layers(d)[0]["config"]["activation"] = {"class_name": "__lambda__", "config": {"code": "4wEA"}}


def a_pickled_object(d: Description) -> None:
    layers(d)[0]["config"]["kernel_initializer"] = {"py/reduce": [{"py/function": "os.system"}, "true"]}


def an_unknown_layer(d: Description) -> None:
    layers(d)[8] = {"class_name": "GRU", "config": {"name": "gru_1", "units": 3}}


def a_custom_layer(d: Description) -> None:
    layers(d)[1].update(module="someone.layers", registered_name="Mine>Conv2D")


def another_width(d: Description) -> None:
    layers(d)[1]["config"]["filters"] = 17


def another_padding(d: Description) -> None:
    layers(d)[4]["config"]["padding"] = "same"


def an_unknown_setting(d: Description) -> None:
    layers(d)[1]["config"]["lora_rank"] = 4


def a_missing_setting(d: Description) -> None:
    del layers(d)[1]["config"]["filters"]


def another_dtype(d: Description) -> None:
    layers(d)[1]["config"]["dtype"] = "float64"


def a_layer_less(d: Description) -> None:
    del layers(d)[5]


def a_layer_more(d: Description) -> None:
    layers(d).insert(3, {"class_name": "Activation", "config": {"name": "more", "activation": "relu"}})


def another_order(d: Description) -> None:
    layers(d)[2:4] = layers(d)[3:1:-1]


def another_input(d: Description) -> None:
    layers(d)[0]["config"]["batch_input_shape"] = [None, 144, 144, 3]


def one_name_twice(d: Description) -> None:
    layers(d)[1]["config"]["name"] = "conv1"


def many_layers(d: Description) -> None:
    layers(d).extend([layers(d)[3]] * 3000)


def no_layers(d: Description) -> None:
    layers(d).clear()


def a_number_for_a_name(d: Description) -> None:
    layers(d)[1]["config"]["name"] = 3


def a_long_name(d: Description) -> None:
    layers(d)[1]["config"]["name"] = "x" * 100_000


def a_vast_setting(d: Description) -> None:
    layers(d)[1]["config"]["filters"] = [0] * 100_000


def another_network(d: Description) -> None:
    d["class_name"] = "Transformer"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (a_lambda, "layer 'sly' is a Lambda, which holds code; nothing in a model file is executed"),
        (a_nested_lambda, "layer 'deep' is a Lambda, which holds code"),
        (a_lambda_as_activation, "is a __lambda__, which holds code"),
        (a_pickled_object, "holds a pickled object"),
        (an_unknown_layer, "layer 'gru_1' is a GRU; expected one of InputLayer"),
        (a_custom_layer, r"layer 'conv2' is a custom object, 'Mine>Conv2D'.*expected Keras's own layers"),
        (another_width, r"differs from vgg6: 'conv2' is Conv2D\(filters=17, .*expected Conv2D\(filters=16"),
        (another_padding, r"'conv3' is Conv2D\(.*padding=same.*expected .*padding=valid"),
        (an_unknown_setting, "'conv2', a Conv2D, has lora_rank=4, unknown here"),
        (a_missing_setting, "'conv2', a Conv2D, does not say its filters"),
        (another_dtype, "'conv2' has dtype 'float64'; expected one of float32"),
        (a_layer_less, r"differs from vgg6: 1 missing: Conv2D\(filters=32"),
        (a_layer_more, r"differs from vgg6: 1 too many: Activation\(activation=relu\)"),
        (another_order, "the same layers, but 'dropout_1' takes its input from conv2"),
        (another_input, r"InputLayer\(shape=\[144, 144, 3\]"),
        (one_name_twice, "two layers are named 'conv1'"),
        (many_layers, "3012 layers; expected 1 to 2000"),
        (no_layers, "0 layers; expected 1 to 2000"),
        (a_number_for_a_name, "a layer named 3 of kind 'Conv2D'; expected at most 200"),
        (a_long_name, "a layer named 'xxx.*; expected at most 200 characters"),
        (a_vast_setting, r"'conv2' is Conv2D\(filters=\[0, 0, "),
        (another_network, "a 'Transformer'; expected a Sequential, Model or Functional network"),
    ],
)
def test_an_architecture_that_is_none_of_ours_is_refused(
    change: Callable[[Description], None], said: str, weights: Path, tmp_path: Path
) -> None:
    description = vgg6_as_keras_2_wrote_it()
    change(description)
    refused(tmp_path, weights, said, description)


def several_outputs(d: Description) -> None:
    d["config"]["output_layers"].append(["fc_1", 0, 0])


def several_inputs(d: Description) -> None:
    d["config"]["input_layers"].append(["conv1", 0, 0])


def a_layer_used_twice(d: Description) -> None:
    layers(d)[2]["inbound_nodes"] *= 2


def a_circle(d: Description) -> None:
    layers(d)[1]["inbound_nodes"] = [[["conv2", 0, 0, {}]]]
    layers(d)[3]["inbound_nodes"] = [[["input_1", 0, 0, {}]]]


def an_absent_input(d: Description) -> None:
    layers(d)[1]["inbound_nodes"] = [[["elsewhere", 0, 0, {}]]]


def a_dead_end(d: Description) -> None:
    layers(d).append({**layers(d)[2], "config": {**layers(d)[2]["config"], "name": "dead"}, "name": "dead"})


def a_second_tensor(d: Description) -> None:
    layers(d)[2]["inbound_nodes"][0][0][2] = 1


def a_call_for_training(d: Description) -> None:
    layers(d)[4]["inbound_nodes"][0][0][3] = {"training": True}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (several_outputs, "2 outputs, fc_out, fc_1; expected one"),
        (several_inputs, "2 inputs, input_1, conv1; expected one"),
        (a_layer_used_twice, "'conv2' is used 2 times; expected once"),
        (a_circle, "form a circle"),
        (an_absent_input, "'elsewhere' is taken as input but not described"),
        (a_dead_end, "'dead' leads nowhere"),
        (a_second_tensor, r"takes \['conv1', 0, 1\]; expected a layer's only output"),
        (a_call_for_training, r"'dropout_1' is called with \{'training': True\}"),
    ],
)
def test_a_graph_that_is_no_single_path_of_ours_is_refused(
    change: Callable[[Description], None], said: str, weights: Path, tmp_path: Path
) -> None:
    description = as_functional(vgg6_as_keras_2_wrote_it())
    change(description)
    refused(tmp_path, weights, said, description)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not JSON"),
        (b"not json", "is not JSON"),
        (pickle.dumps({"class_name": "Sequential"}), "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b'"text"', "not as Keras's to_json writes it"),
        (b"[1, 2]", "not as Keras's to_json writes it"),
        (b'{"class_name": "Model", "config": {}}', "not as Keras's to_json writes it: KeyError 'layers'"),
        (b" " * (architecture_json.MAX_BYTES + 1), "expected an architecture of at most"),
    ],
)
def test_an_architecture_file_that_holds_none_is_refused(
    content: bytes, said: str, weights: Path, tmp_path: Path
) -> None:
    refused(tmp_path, weights, said, content)


def test_an_absent_file_is_refused_by_its_path(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"absent\.json can't be read"):
        import_published(tmp_path / "absent.json", weights, version="rb@9", folder=tmp_path / "rb-9")
    refused(tmp_path, tmp_path / "absent.h5", r"absent\.h5 .*No such file")
    refused(tmp_path, tmp_path, "Is a directory")


@pytest.mark.parametrize("share", [0.0, 0.0005, 0.2, 0.5, 0.9, 0.999])
def test_a_truncated_weights_file_is_refused(share: float, good: bytes, tmp_path: Path) -> None:
    path = tmp_path / "w.h5"
    path.write_bytes(good[: int(share * len(good))])
    refused(tmp_path, path, r"w\.h5(: \d+ bytes, .*expected an HDF5 file| is truncated or corrupt)")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (pickle.dumps({"conv1": [1.0]}), "a pickle, which is never read; expected an HDF5 file"),
        (b"PK\x03\x04 and so on", "starts with b'PK"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 4000, "truncated or corrupt"),
    ],
)
def test_a_weights_file_that_is_no_hdf5_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "w.h5"
    path.write_bytes(content)
    refused(tmp_path, path, said)


def test_damaged_bytes_give_a_refusal_or_the_whole_network_and_nothing_else(
    good: bytes, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    path, folder = tmp_path / "w.h5", tmp_path / "rb-9"
    file = tmp_path / "a.json"
    file.write_text(json.dumps(vgg6_as_keras_2_wrote_it()))
    outcomes = {"refused": 0, "read": 0}
    for n in range(12):
        damaged = bytearray(good)
        for place in rng.integers(0, len(good), 40):
            damaged[place] = rng.integers(0, 256)
        path.write_bytes(damaged)
        try:
            import_published(file, path, version="rb@9", folder=folder / str(n))
            outcomes["read"] += 1
        except InvalidRequest:
            outcomes["refused"] += 1
    assert outcomes["refused"] > 6


def test_an_oversized_weights_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "w.h5"
    path.touch()
    os.truncate(path, hdf5.MAX_BYTES + 1)
    refused(tmp_path, path, f"{hdf5.MAX_BYTES + 1} bytes; expected at most {hdf5.MAX_BYTES}")


def an_external_link(file: h5py.File) -> None:
    del file["conv1/conv1/kernel:0"]
    file["conv1/conv1/kernel:0"] = h5py.ExternalLink("/etc/hostname", "/x")


def an_external_link_aside(file: h5py.File) -> None:
    file["aside"] = h5py.ExternalLink("other.h5", "/x")


def a_soft_link(file: h5py.File) -> None:
    del file["conv1/conv1/kernel:0"]
    file["conv1/conv1/kernel:0"] = h5py.SoftLink("/conv2/conv2/kernel:0")


def external_data(file: h5py.File) -> None:
    del file["conv1/conv1/bias:0"]
    file.create_dataset("conv1/conv1/bias:0", (16,), "f4", external=[("/etc/passwd", 0, 64)])


def virtual_data(file: h5py.File) -> None:
    del file["conv1/conv1/bias:0"]
    virtual = h5py.VirtualLayout((16,), "f4")
    virtual[:] = h5py.VirtualSource("other.h5", "x", (16,))
    file.create_virtual_dataset("conv1/conv1/bias:0", virtual)


def an_odd_filter(file: h5py.File) -> None:
    replace(file, "conv1/conv1/bias:0", data=np.zeros(16, np.float32), compression="lzf")


def a_pickle_as_weight(file: h5py.File) -> None:
    replace(file, "conv1/conv1/bias:0", data=np.void(pickle.dumps([1.0])))


def objects_as_weights(file: h5py.File) -> None:
    replace(file, "conv1/conv1/bias:0", data=["text"] * 16)


def whole_numbers(file: h5py.File) -> None:
    replace(file, "conv1/conv1/bias:0", data=np.zeros(16, np.int32))


def another_shape(file: h5py.File) -> None:
    replace(file, "conv2/conv2/kernel:0", data=np.zeros((3, 3, 16, 17), np.float32))


def a_vast_shape(file: h5py.File) -> None:
    replace(file, "conv1/conv1/bias:0", shape=(10**12,), dtype="f4", chunks=(1000,))


def not_a_number(file: h5py.File) -> None:
    file["fc_1/fc_1/kernel:0"][5, 6] = np.nan


def too_large_for_float32(file: h5py.File) -> None:
    replace(file, "conv1/conv1/bias:0", data=np.full(16, 1e300))


def a_group_for_an_array(file: h5py.File) -> None:
    del file["conv1/conv1/bias:0"]
    file.create_group("conv1/conv1/bias:0")


def names_sorted(file: h5py.File) -> None:
    file["conv1"].attrs["weight_names"] = sorted(file["conv1"].attrs["weight_names"])


def names_that_lead_away(file: h5py.File) -> None:
    file["conv1"].attrs["weight_names"] = [b"../conv2/kernel:0", b"/conv2/conv2/bias:0"]


def a_weight_more(file: h5py.File) -> None:
    file["flatten_1"].attrs["weight_names"] = [b"flatten_1/kernel:0"]


def no_weight_names(file: h5py.File) -> None:
    del file["conv1"].attrs["weight_names"]


def numbers_for_names(file: h5py.File) -> None:
    file.attrs["layer_names"] = np.arange(12)


def a_missing_layer(file: h5py.File) -> None:
    file.attrs["layer_names"] = file.attrs["layer_names"][1:]


def an_absent_layer(file: h5py.File) -> None:
    del file["conv3"]


def an_extra_layer(file: h5py.File) -> None:
    file.attrs["layer_names"] = [*file.attrs["layer_names"], b"conv9"]


def a_layer_named_twice(file: h5py.File) -> None:
    file.attrs["layer_names"] = [*file.attrs["layer_names"], b"conv1"]


def no_layer_names(file: h5py.File) -> None:
    del file.attrs["layer_names"]


def weights_of_no_layer(file: h5py.File) -> None:
    file.create_group("top_level_model_weights").attrs["weight_names"] = [b"secret:0"]


def many_groups(file: h5py.File) -> None:
    crowd = file.create_group("crowd")
    for n in range(30):
        crowd.create_group(str(n))


def replace(file: h5py.File, name: str, **dataset: Any) -> None:
    del file[name]
    file.create_dataset(name, **dataset)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            an_external_link,
            r"kernel:0 is a link to '/etc/hostname /x' \(ExternalLink\); expected data in the",
        ),
        (an_external_link_aside, r"/aside is a link to 'other\.h5 /x' \(ExternalLink\)"),
        (a_soft_link, r"is a link to '/conv2/conv2/kernel:0' \(SoftLink\)"),
        (external_data, "bias:0 keeps its data in another file"),
        (virtual_data, "bias:0 keeps its data in another file"),
        (an_odd_filter, "bias:0 is packed by filter 32000; expected none, or gzip"),
        (a_pickle_as_weight, r"bias:0 is a pickled or other object \(\); expected floats \(16,\)"),
        (objects_as_weights, r"bias:0 is a pickled or other object \(16,\); expected floats \(16,\)"),
        (whole_numbers, r"bias:0 is int32 \(16,\); expected floats \(16,\)"),
        (another_shape, r"kernel:0 is float32 \(3, 3, 16, 17\); expected floats \(3, 3, 16, 16\)"),
        (a_vast_shape, r"bias:0 is float32 \(1000000000000,\); expected floats \(16,\)"),
        (not_a_number, "kernel:0 holds 1 values that are not finite"),
        (too_large_for_float32, "bias:0 holds 16 values that are not finite"),
        (a_group_for_an_array, r"bias:0 is a group; expected an array \(16,\)"),
        (names_sorted, "'conv1' has the weights bias, kernel; expected kernel, bias, in this order"),
        (names_that_lead_away, r"/conv1 has no '\.\./conv2/kernel:0'"),
        (a_weight_more, "'flatten_1' has the weights kernel; expected none"),
        (no_weight_names, "/conv1 has no attribute weight_names"),
        (numbers_for_names, "attribute layer_names of / is int64; expected text"),
        (a_missing_layer, r"weights of 11 layers; expected the 12 of VGG6: 1 missing \(conv1\)"),
        (an_absent_layer, "/ has no 'conv3'"),
        (an_extra_layer, r"weights of 13 layers; .* 1 too many \(conv9\)"),
        (a_layer_named_twice, "weights of 13 layers; expected the 12"),
        (no_layer_names, "has no attribute layer_names; expected weights as Keras 2 wrote them"),
        (weights_of_no_layer, "top_level_model_weights holds weights"),
    ],
)
def test_weights_that_are_not_the_network_s_are_refused(
    change: Callable[[h5py.File], None], said: str, weights: Path, tmp_path: Path
) -> None:
    with h5py.File(weights, "r+") as file:
        change(file)
    refused(tmp_path, weights, said)


def test_a_crowded_file_is_refused(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5, "MAX_OBJECTS", 20)
    with h5py.File(weights, "r+") as file:
        many_groups(file)
    refused(tmp_path, weights, "more than 20 groups and arrays")


def test_a_circle_of_groups_is_walked_once(weights: Path, tmp_path: Path) -> None:
    with h5py.File(weights, "r+") as file:
        file["conv1/again"] = file["conv1"]
    file_json = tmp_path / "a.json"
    file_json.write_text(json.dumps(vgg6_as_keras_2_wrote_it()))
    assert import_published(file_json, weights, version="rb@9", folder=tmp_path / "rb-9").parameters > 0


def test_a_weights_file_without_its_architecture_says_so(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InvalidRequest, match="no attribute model_config; expected a file that holds its arch"
    ):
        import_published(None, weights, version="rb@9", folder=tmp_path / "rb-9")


def test_a_single_file_with_a_pickle_for_its_architecture_is_refused(weights: Path, tmp_path: Path) -> None:
    with h5py.File(weights, "r+") as file:
        file.attrs["model_config"] = np.void(pickle.dumps({}))
    with pytest.raises(InvalidRequest, match=r"attribute model_config of / is .*; expected text"):
        import_published(None, weights, version="rb@9", folder=tmp_path / "rb-9")


def test_a_single_file_with_a_lambda_is_refused(tmp_path: Path) -> None:
    description = vgg6_as_keras_2_wrote_it()
    path = tmp_path / "single.h5"
    a_lambda(description)
    write_h5(path, description, empty_vgg6_weights(), single=True, compression="gzip")
    with pytest.raises(InvalidRequest, match=r"single\.h5: model_config: layer 'sly' is a Lambda"):
        import_published(None, path, version="rb@9", folder=tmp_path / "rb-9")


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"version": "rb-9"}, "version 'rb-9'; expected a classifier and a number"),
        ({"threshold": 1.5}, "threshold 1.5; expected 0 to 1"),
        ({"threshold": float("nan")}, "threshold nan; expected 0 to 1"),
    ],
)
def test_a_malformed_request_is_refused(
    request_: dict[str, Any], said: str, weights: Path, tmp_path: Path
) -> None:
    with pytest.raises(InvalidRequest, match=said):
        import_published(None, weights, **{"version": "rb@9", "folder": tmp_path / "rb-9", **request_})


def test_a_file_in_the_place_of_the_folder_is_refused(weights: Path) -> None:
    with pytest.raises(InvalidRequest, match="is a file; expected a folder, or nothing yet"):
        import_published(None, weights, version="rb@9", folder=weights)


def test_a_variance_below_zero_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="'bn_conv1' has a moving_variance below zero"):
        check_weights("bn_conv1", {"moving_variance": np.array([1, -1e-3], np.float32)})
