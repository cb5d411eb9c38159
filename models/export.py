"""Export of a model version to formats that others read: Keras, TensorFlow's SavedModel, ONNX."""

import importlib.util
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

import keras

from core.errors import InvalidRequest, Misconfigured
from core.model_card import ModelCard
from models.bundle import load_network

Form = Literal["keras", "savedmodel", "onnx"]
SUFFIXES: dict[Form, str] = {"keras": ".keras", "savedmodel": ".savedmodel", "onnx": ".onnx"}
ONNX_PACKAGES = {
    "tensorflow": ("tf2onnx", "onnx"),
    "jax": ("jax2onnx", "onnx"),
    "torch": ("onnxscript", "onnx"),
}


def export(card: ModelCard, weights: bytes, folder: Path, *, form: Form) -> Path:
    """Write a version into a folder, as rb-3.keras, rb-3.savedmodel/ or rb-3.onnx, and return that path.

    The network takes (n, 144, 144, 1) float32, 0 black - 1 white, as the card's recipe makes them, and
    gives (n, 1) probabilities. The card goes beside it, as rb-3.card.json.

    Raises InvalidRequest for an unknown form or when the path exists, Misconfigured when the weights are not
    the card's or a package is missing; the message says which.
    """
    if form not in get_args(Form):
        raise InvalidRequest(f"form {form!r}; expected one of {', '.join(get_args(Form))}")
    name = card.version.replace("@", "-")
    path = folder / f"{name}{SUFFIXES[form]}"
    if path.exists():
        raise InvalidRequest(f"{path} exists; expected a path that does not")
    _check_packages(form)
    network = load_network(card, weights)
    folder.mkdir(parents=True, exist_ok=True)
    _write(network, path, WRITERS[form])
    (folder / f"{name}.card.json").write_text(card.model_dump_json(indent=1) + "\n", "utf-8")
    return path


def _save_keras(network: keras.Model, path: Path) -> None:
    network.save(path)


def _save_savedmodel(network: keras.Model, path: Path) -> None:
    network.export(path, format="tf_saved_model", verbose=False)


def _save_onnx(network: keras.Model, path: Path) -> None:
    signature = [keras.InputSpec(shape=network.input_shape, dtype="float32", name="image")]
    network.export(path, format="onnx", verbose=False, input_signature=signature)


WRITERS: dict[Form, Callable[[keras.Model, Path], None]] = {
    "keras": _save_keras,
    "savedmodel": _save_savedmodel,
    "onnx": _save_onnx,
}


def _check_packages(form: Form) -> None:
    backend = keras.backend.backend()
    if form == "savedmodel" and backend == "torch":
        raise Misconfigured("SavedModel is written on TensorFlow or JAX; set KERAS_BACKEND=tensorflow")
    wanted = {"keras": (), "savedmodel": ("tensorflow",), "onnx": ONNX_PACKAGES.get(backend, ("onnx",))}[form]
    missing = [package for package in wanted if importlib.util.find_spec(package) is None]
    if missing:
        raise Misconfigured(
            f"export as {form} from Keras on {backend} needs {', '.join(missing)}, not installed here; "
            f"install with: pip install {' '.join(missing)}"
        )


def _write(network: keras.Model, path: Path, writer: Callable[[keras.Model, Path], None]) -> None:
    """Write beside, then rename: a killed export leaves nothing under the final name."""
    partial = path.with_name(f".partial-{path.name}")
    _remove(partial)
    try:
        with warnings.catch_warnings():  # Keras 3.15 and tf2onnx use NumPy in ways that NumPy 2 warns of
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            writer(network, partial)
        partial.replace(path)
    finally:
        _remove(partial)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
