"""Exports score as the network does, in every form that this machine can write."""

from pathlib import Path
from typing import Any, cast

import keras
import numpy as np
import onnxruntime
import pytest
import tensorflow

from core.errors import InvalidRequest, Misconfigured
from core.model_card import ModelCard
from models.__main__ import main
from models.architectures import build
from models.bundle import load_network, read_weights, write_bundle
from models.export import Form, export

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 144, 144, 1)).astype(np.float32) / 255


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ModelCard]:
    """A VGG6 whose scores are spread."""
    keras.utils.set_random_seed(3)
    network = build("vgg6")
    rng = np.random.default_rng(3)
    network.set_weights([w + rng.normal(0, 0.03, w.shape) for w in network.get_weights()])
    folder = tmp_path_factory.mktemp("bundle") / "rb-5"
    return folder, write_bundle(folder, network, version="rb@5", architecture="vgg6", dtype="float32")


@pytest.fixture(scope="module")
def expected(bundle: tuple[Path, ModelCard]) -> Any:
    folder, card = bundle
    scores = load_network(card, read_weights(folder)).predict_on_batch(IMAGES)
    assert ((scores > 0.001) & (scores < 0.999)).all()
    return scores


def test_the_keras_form_scores_as_the_network(
    bundle: tuple[Path, ModelCard], expected: Any, tmp_path: Path
) -> None:
    folder, card = bundle
    path = export(card, read_weights(folder), tmp_path, form="keras")
    assert path == tmp_path / "rb-5.keras"
    loaded = keras.saving.load_model(path, compile=False, safe_mode=True)
    np.testing.assert_allclose(loaded.predict_on_batch(IMAGES), expected, rtol=0, atol=1e-5)
    assert ModelCard.model_validate_json((tmp_path / "rb-5.card.json").read_bytes()) == card


def test_the_savedmodel_form_scores_as_the_network_at_any_batch_size(
    bundle: tuple[Path, ModelCard], expected: Any, tmp_path: Path
) -> None:
    folder, card = bundle
    path = export(card, read_weights(folder), tmp_path, form="savedmodel")
    assert path == tmp_path / "rb-5.savedmodel"
    loaded = tensorflow.saved_model.load(str(path))
    for n in (1, len(IMAGES)):
        np.testing.assert_allclose(loaded.serve(IMAGES[:n]).numpy(), expected[:n], rtol=0, atol=1e-5)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["rb-5.card.json", "rb-5.savedmodel"]


def test_onnx_without_its_packages_says_what_to_install(
    bundle: tuple[Path, ModelCard], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, card = bundle
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(Misconfigured, match=r"export as onnx .* needs tf2onnx.*pip install tf2onnx"):
        export(card, read_weights(folder), tmp_path / "out", form="onnx")
    assert not (tmp_path / "out").exists()


def test_the_onnx_form_scores_as_the_network(
    bundle: tuple[Path, ModelCard], expected: Any, tmp_path: Path
) -> None:
    folder, card = bundle
    session = onnxruntime.InferenceSession(export(card, read_weights(folder), tmp_path, form="onnx"))
    (scores,) = session.run(None, {session.get_inputs()[0].name: IMAGES})
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5)


def test_an_export_never_replaces_what_is_there(bundle: tuple[Path, ModelCard], tmp_path: Path) -> None:
    folder, card = bundle
    (tmp_path / "rb-5.keras").write_bytes(b"mine")
    with pytest.raises(InvalidRequest, match=r"rb-5\.keras exists"):
        export(card, read_weights(folder), tmp_path, form="keras")
    assert (tmp_path / "rb-5.keras").read_bytes() == b"mine"


def test_an_unknown_form_and_other_weights_are_refused(
    bundle: tuple[Path, ModelCard], tmp_path: Path
) -> None:
    folder, card = bundle
    with pytest.raises(InvalidRequest, match="form 'caffe'; expected one of keras, savedmodel, onnx"):
        export(card, read_weights(folder), tmp_path, form=cast(Form, "caffe"))
    with pytest.raises(Misconfigured, match=r"weights of rb@5: 3 bytes"):
        export(card, b"abc", tmp_path, form="keras")
    assert not list(tmp_path.iterdir())


def test_the_command_exports_and_prints_the_path(
    bundle: tuple[Path, ModelCard], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = bundle
    arguments = ["export", str(folder), "--form", "keras", "--out", str(tmp_path)]
    assert main(arguments) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "rb-5.keras")
    assert main(["export", "rb@999", "--form", "keras", "--out", str(tmp_path)]) == 1
    assert "error: no card.json in" in capsys.readouterr().err


def test_what_was_exported_can_be_imported_again(
    bundle: tuple[Path, ModelCard], expected: Any, tmp_path: Path
) -> None:
    folder, card = bundle
    path = export(card, read_weights(folder), tmp_path, form="keras")
    arguments = ["import-published", "--weights", str(path), "--version", "rb@6"]
    assert main([*arguments, "--out", str(tmp_path / "rb-6")]) == 0
    again = card.model_copy(update={"version": "rb@6"})
    np.testing.assert_array_equal(
        load_network(again, read_weights(tmp_path / "rb-6")).predict_on_batch(IMAGES), expected
    )
