"""Bundles: a round trip, and everything that is refused."""

import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import Misconfigured
from core.model_card import ModelCard, Weights
from models.architectures import build
from models.bundle import find_bundle, load_network, read_card, read_weights, weight_names, write_bundle

Bundle = tuple[Path, ModelCard]
Arrays = dict[str, NDArray[Any]]


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return build("vgg6")


@pytest.fixture(scope="module")
def bundle(network: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("rb-7")
    return folder, write_bundle(folder, network, version="rb@7", architecture="vgg6", training={"seed": 3})


def resigned(card: ModelCard, data: bytes, **changes: object) -> ModelCard:
    """A card that vouches for other bytes."""
    weights = Weights(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data), dtype=card.weights.dtype)
    return card.model_copy(update={"weights": weights, **changes})


def npz(arrays: Arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=True, **arrays)
    return buffer.getvalue()


def arrays_of(network: keras.Model, dtype: str = "float16") -> Arrays:
    return dict(zip(weight_names(network), [w.astype(dtype) for w in network.get_weights()], strict=True))


def test_a_network_comes_back_with_its_weights_to_half_precision(
    network: keras.Model, bundle: Bundle
) -> None:
    folder, card = bundle
    loaded = load_network(read_card(folder), read_weights(folder))
    for before, after in zip(network.get_weights(), loaded.get_weights(), strict=True):
        assert after.dtype == np.float32
        np.testing.assert_array_equal(after, before.astype(np.float16).astype(np.float32))
    assert card.parameters == 2_114_033
    assert card.classes == ("bogus", "real")
    assert card.training == {"seed": 3}


def test_the_same_weights_give_the_same_file(network: keras.Model, bundle: Bundle, tmp_path: Path) -> None:
    _, card = bundle
    again = write_bundle(tmp_path, network, version="rb@7", architecture="vgg6")
    assert again.weights == card.weights


def test_weights_are_named_by_layer_in_the_network_s_order(network: keras.Model) -> None:
    assert weight_names(network)[:3] == ["conv1/kernel", "conv1/bias", "conv2/kernel"]
    assert len(set(weight_names(build("resnet50")))) == len(build("resnet50").weights)


@pytest.mark.parametrize("kept", [0, 100, 4_000_000])
def test_a_truncated_file_is_refused(bundle: Bundle, kept: int) -> None:
    folder, card = bundle
    data = read_weights(folder)[:kept]
    with pytest.raises(
        Misconfigured, match=f"{kept} bytes with sha256 .*expected {card.weights.bytes} bytes"
    ):
        load_network(card, data)
    with pytest.raises(Misconfigured, match="can't be read as an npz of plain arrays"):
        load_network(resigned(card, data), data)


def test_a_changed_byte_is_refused(bundle: Bundle) -> None:
    folder, card = bundle
    data = bytearray(read_weights(folder))
    data[1000] ^= 1
    with pytest.raises(Misconfigured, match=r"expected .* sha256"):
        load_network(card, bytes(data))


def test_bytes_damaged_before_they_were_signed_are_refused(bundle: Bundle) -> None:
    folder, card = bundle
    data = bytearray(read_weights(folder))
    data[1000] ^= 1
    with pytest.raises(Misconfigured, match="can't be read as an npz"):
        load_network(resigned(card, bytes(data)), bytes(data))


@pytest.mark.parametrize(
    "junk", [b"not a file of weights", b"\x93NUMPY\x01\x00v\x00{'descr'", b"\x80\x04K*."]
)
def test_foreign_bytes_are_refused(bundle: Bundle, junk: bytes) -> None:
    _, card = bundle
    with pytest.raises(Misconfigured, match="can't be read as an npz"):
        load_network(resigned(card, junk), junk)


def test_a_plain_array_is_refused(bundle: Bundle) -> None:
    _, card = bundle
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    with pytest.raises(Misconfigured, match="can't be read as an npz"):
        load_network(resigned(card, buffer.getvalue()), buffer.getvalue())


def test_another_architecture_s_weights_are_refused(bundle: Bundle) -> None:
    _, card = bundle
    data = npz(arrays_of(build("resnet50")))
    with pytest.raises(Misconfigured, match=r"hold conv1/kernel.*expected those of vgg6"):
        load_network(resigned(card, data), data)


def test_a_card_of_another_architecture_is_refused(bundle: Bundle) -> None:
    folder, card = bundle
    with pytest.raises(Misconfigured, match="2114033 parameters; resnet50 has 17386753"):
        load_network(card.model_copy(update={"architecture": "resnet50"}), read_weights(folder))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (lambda a: a.astype(np.float32), "float32.*expected float16"),
        (lambda a: a[..., :1], r"\(3, 3, 1, 1\); expected float16 \(3, 3, 1, 16\)"),
        (lambda a: a + np.float16(np.inf), "not finite"),
    ],
)
def test_a_wrong_array_is_refused(
    network: keras.Model, bundle: Bundle, changed: Callable[[NDArray[Any]], NDArray[Any]], said: str
) -> None:
    _, card = bundle
    arrays = arrays_of(network)
    arrays["conv1/kernel"] = changed(arrays["conv1/kernel"])
    data = npz(arrays)
    with pytest.raises(Misconfigured, match=f"conv1/kernel.*{said}"):
        load_network(resigned(card, data), data)


def test_a_pickled_object_is_refused_and_not_run(
    network: keras.Model, bundle: Bundle, tmp_path: Path
) -> None:
    _, card = bundle

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (tmp_path.joinpath("sprung").touch, ())

    arrays = arrays_of(network)
    arrays["conv1/kernel"] = np.array([Trap()], dtype=object)
    data = npz(arrays)
    with pytest.raises(Misconfigured, match="can't be read as an npz of plain arrays"):
        load_network(resigned(card, data), data)
    assert not tmp_path.joinpath("sprung").exists()


def test_an_archive_that_swells_is_refused_unread(bundle: Bundle) -> None:
    _, card = bundle
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("conv1/kernel.npy", bytes(50_000_000))
    with pytest.raises(Misconfigured, match="unpack to"):
        load_network(resigned(card, buffer.getvalue()), buffer.getvalue())


def test_weights_that_half_precision_can_t_hold_are_not_written(tmp_path: Path) -> None:
    network = build("vgg6")
    weights = network.get_weights()
    weights[0][0, 0, 0, 0] = 1e9
    network.set_weights(weights)
    with pytest.raises(Misconfigured, match=r"conv1/kernel is not finite as float16; largest is 1e\+09"):
        write_bundle(tmp_path, network, version="rb@1", architecture="vgg6")
    assert not list(tmp_path.iterdir())


def test_a_malformed_version_is_not_written(network: keras.Model, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="'rb-1'; expected a classifier and a number"):
        write_bundle(tmp_path, network, version="rb-1", architecture="vgg6")


def test_a_missing_or_malformed_card_is_told(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"no card\.json in"):
        read_card(tmp_path)
    (tmp_path / "card.json").write_text('{"version": "rb@1"}')
    with pytest.raises(Misconfigured, match="can't be read as a model card"):
        read_card(tmp_path)
    with pytest.raises(Misconfigured, match=r"weights\.npz can't be read"):
        read_weights(tmp_path)


def test_versions_are_found_among_the_shipped_and_folders_where_they_are(tmp_path: Path) -> None:
    assert find_bundle("rb@3").parts[-3:] == ("models", "shipped", "rb-3")
    assert find_bundle(str(tmp_path)) == tmp_path


def test_eight_bit_kernels_come_back_to_half_a_step_of_their_channel(tmp_path: Path) -> None:
    network = build("resnet50")
    rng = np.random.default_rng(3)
    network.set_weights([rng.normal(0, 0.05, w.shape).astype(np.float32) for w in network.weights])
    card = write_bundle(tmp_path, network, version="rb@8", architecture="resnet50", dtype="int8")
    assert card.weights.bytes < 18_500_000
    back = load_network(card, read_weights(tmp_path))
    for before, after in zip(network.get_weights(), back.get_weights(), strict=True):
        if before.ndim < 2:
            np.testing.assert_array_equal(before, after)
            continue
        step = np.abs(before).max(axis=tuple(range(before.ndim - 1))) / 127
        assert (np.abs(before - after) <= 0.501 * step).all()


def test_an_eight_bit_kernel_without_its_scale_is_refused(tmp_path: Path) -> None:
    card = write_bundle(tmp_path, build("vgg6"), version="rb@8", architecture="vgg6", dtype="int8")
    with np.load(tmp_path / "weights.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    scale = next(name for name in arrays if name.endswith("/scale"))
    del arrays[scale]
    np.savez(tmp_path / "weights.npz", **arrays)
    data = read_weights(tmp_path)
    weights = card.weights.model_copy(update={"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)})
    with pytest.raises(Misconfigured, match="expected those of vgg6"):
        load_network(card.model_copy(update={"weights": weights}), data)
