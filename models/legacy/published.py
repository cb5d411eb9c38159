"""Import of networks as the predecessors published them: architecture JSON and weights, or one HDF5 file."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidRequest
from core.model_card import VERSION, ModelCard
from models.bundle import CARD_FILE, write_bundle
from models.legacy import hdf5
from models.legacy.architecture_json import INPUT, MAX_NAME, Graph, parse_architecture, read_architecture
from models.legacy.recognise import Recognised, recognise

CONFIG = "model_config"


def import_published(
    architecture_json: Path | None, weights: Path, *, version: str, folder: Path, threshold: float = 0.5
) -> ModelCard:
    """Write a published network as a bundle and return its card; weights stay float32.

    Parameters
    ----------
    architecture_json : `NAME.architecture.json`, or None where `weights` holds the architecture as well.
    weights : `NAME.weights.h5`, or a single `NAME.h5`, as Keras 2 wrote them (or Keras 3 as legacy HDF5).
    version, threshold : of the bundle, as rb@3 and 0.5.
    folder : of the bundle; must not hold one already.

    Raises InvalidRequest, with what came and what was expected, for anything but one of our architectures
    with all of its weights, and nothing else. Nothing is written then, and nothing in a file is executed.
    """
    check_request(version, folder, threshold)
    known = None if architecture_json is None else _from_json(architecture_json)
    with hdf5.opened(weights, weights.name) as file:
        graph, found = known or _from_attribute(file)
        found.network.set_weights(_read_weights(file, graph, found))
    files = [path for path in (architecture_json, weights) if path is not None]
    return write_imported(found, graph, files, version=version, folder=folder, threshold=threshold)


def check_request(version: str, folder: Path, threshold: float) -> None:
    """Raise InvalidRequest for a malformed version or threshold, or a folder that is taken."""
    if VERSION.match(version) is None:
        raise InvalidRequest(f"version {version!r}; expected a classifier and a number, as rb@3")
    if not 0 <= threshold <= 1:
        raise InvalidRequest(f"threshold {threshold}; expected 0 to 1")
    if folder.exists() and not folder.is_dir():
        raise InvalidRequest(f"{folder} is a file; expected a folder, or nothing yet")
    if (folder / CARD_FILE).exists():
        raise InvalidRequest(f"{folder} holds a bundle already; expected a folder of its own")


def write_imported(
    found: Recognised,
    graph: Graph,
    files: list[Path],
    *,
    version: str,
    folder: Path,
    threshold: float,
    **more: Any,
) -> ModelCard:
    """Write the bundle of a network whose weights are set; its card says where they came from.

    `more` goes to `write_bundle`.
    """
    origin: dict[str, Any] = {
        "network": graph.name,
        "keras_version": graph.keras_version,
        "files": {path.name: _sha256(path) for path in files},
    }
    return write_bundle(
        folder,
        found.network,
        version=version,
        architecture=found.architecture,
        threshold=threshold,
        dtype="float32",
        training={"imported_from": origin},
        **more,
    )


def check_weights(layer: str, arrays: dict[str, NDArray[np.float32]]) -> None:
    """Raise InvalidRequest for a variance below zero: the square root of it would be no number."""
    if arrays.get("moving_variance", np.zeros(1)).min() < 0:
        raise InvalidRequest(f"layer {layer!r} has a moving_variance below zero")


def _from_json(path: Path) -> tuple[Graph, Recognised]:
    graph = read_architecture(path)
    return graph, recognise(graph, path.name)


def _from_attribute(file: h5py.File) -> tuple[Graph, Recognised]:
    """The architecture that a single HDF5 file holds beside its weights."""
    if CONFIG not in file.attrs:
        raise InvalidRequest(
            f"no attribute {CONFIG}; expected a file that holds its architecture, or its architecture JSON"
        )
    graph = parse_architecture(hdf5.text(file, CONFIG), CONFIG)
    if "keras_version" in file.attrs:
        graph = dataclasses.replace(graph, keras_version=hdf5.text(file, "keras_version")[:MAX_NAME])
    return graph, recognise(graph, CONFIG)


def _read_weights(file: h5py.File, graph: Graph, found: Recognised) -> list[NDArray[np.float32]]:
    """All arrays in our network's order, each layer's in the order of its `weight_names`."""
    store = hdf5.child(file, "model_weights") if "model_weights" in file else file
    _check_layers(store, graph)
    arrays: list[NDArray[np.float32]] = []
    for ours in found.network.layers:
        theirs = found.names[ours.name]
        if graph.layers[theirs].kind != INPUT:
            shapes = {weight.name: tuple(weight.shape) for weight in ours.weights}
            arrays += _read_layer(hdf5.child(store, theirs), theirs, shapes)
    return arrays


def _check_layers(store: h5py.Group, graph: Graph) -> None:
    inputs = {name for name, layer in graph.layers.items() if layer.kind == INPUT}
    listed = hdf5.names(store, "layer_names")
    expected, came = set(graph.layers) - inputs, set(listed) - inputs
    if len(listed) != len(set(listed)) or came != expected:
        missing, extra = sorted(expected - came), sorted(came - expected)
        raise InvalidRequest(
            f"weights of {len(listed)} layers; expected the {len(expected)} of {graph.name}: "
            f"{len(missing)} missing ({', '.join(missing[:5]) or 'none'}), "
            f"{len(extra)} too many ({', '.join(extra[:5]) or 'none'})"
        )
    top = "top_level_model_weights"
    if top in store and hdf5.names(hdf5.child(store, top), "weight_names"):
        raise InvalidRequest(f"{top} holds weights; expected weights of layers only")


def _read_layer(
    group: h5py.Group, layer: str, shapes: dict[str, tuple[int, ...]]
) -> list[NDArray[np.float32]]:
    paths = hdf5.names(group, "weight_names")
    came = [path.split("/")[-1].split(":")[0] for path in paths]
    if came != list(shapes):
        raise InvalidRequest(
            f"layer {layer!r} has the weights {', '.join(came) or 'none'}; "
            f"expected {', '.join(shapes) or 'none'}, in this order"
        )
    arrays = {
        name: hdf5.floats(hdf5.child(group, path), shape)
        for path, (name, shape) in zip(paths, shapes.items(), strict=True)
    }
    check_weights(layer, arrays)
    return list(arrays.values())


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
