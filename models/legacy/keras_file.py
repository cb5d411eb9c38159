"""Import of a network from a `.keras` file, or from one HDF5 file, without Keras's own loader.

Keras 3 numbers the groups of a weights file by the class of layer, in the order of the architecture:
layers/conv2d, layers/conv2d_1 and so on, with a layer's arrays at vars/0, vars/1.
"""

import io
import zipfile
import zlib
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidRequest
from core.model_card import ModelCard
from models.legacy import architecture_json, hdf5
from models.legacy.architecture_json import Graph, parse_architecture
from models.legacy.published import check_request, check_weights, import_published, write_imported
from models.legacy.recognise import Recognised, recognise

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
GROUPS = {
    "BatchNormalization": "batch_normalization",
    "Conv2D": "conv2d",
    "Conv2DTranspose": "conv2d_transpose",
    "Dense": "dense",
    "DepthwiseConv2D": "depthwise_conv2d",
    "GroupNormalization": "group_normalization",
    "LayerNormalization": "layer_normalization",
    "PReLU": "p_re_lu",
    "SeparableConv2D": "separable_conv2d",
}
"""The group of each kind of layer with weights, as Keras 3 names it."""


def import_keras(file: Path, *, version: str, folder: Path, threshold: float = 0.5) -> ModelCard:
    """Write the network of a `.keras` or `.h5` file as a bundle and return its card; weights stay float32.

    Raises InvalidRequest, with what came and what was expected, for anything but one of our architectures:
    a Lambda, a custom object, another network, a damaged or an oversized file. Nothing is written then.
    """
    if not zipfile.is_zipfile(file):
        return import_published(None, file, version=version, folder=folder, threshold=threshold)
    check_request(version, folder, threshold)
    graph, weights = read_keras(file)
    found = recognise(graph, f"{file.name}: {CONFIG}")
    set_weights(found, graph, weights, f"{file.name}: {WEIGHTS}")
    return write_imported(found, graph, [file], version=version, folder=folder, threshold=threshold)


def read_keras(file: Path) -> tuple[Graph, bytes]:
    """The architecture of a `.keras` file, and its weights file; raises InvalidRequest as `import_keras`."""
    members = _members(file)
    return parse_architecture(members[CONFIG], f"{file.name}: {CONFIG}"), members[WEIGHTS]


def set_weights(found: Recognised, graph: Graph, weights: bytes, source: str) -> None:
    """Set a network's weights from those of a `.keras` file.

    Raises InvalidRequest unless they are its own, all of them and no others.
    """
    with hdf5.opened(io.BytesIO(weights), source) as content:
        found.network.set_weights(_read_weights(content, graph, found))


def _members(file: Path) -> dict[str, bytes]:
    """The two files of a `.keras` archive that we read, each within its limit."""
    limits = {CONFIG: architecture_json.MAX_BYTES, WEIGHTS: hdf5.MAX_BYTES}
    try:
        with zipfile.ZipFile(file) as archive:
            came = archive.namelist()
            if sorted(came) != sorted((CONFIG, METADATA, WEIGHTS)):
                raise InvalidRequest(
                    f"{file.name} holds {', '.join(came[:6]) or 'nothing'}; "
                    f"expected {CONFIG}, {METADATA}, {WEIGHTS}"
                )
            for name, limit in limits.items():
                size = archive.getinfo(name).file_size
                if size > limit:
                    raise InvalidRequest(f"{file.name}: {name} is {size} bytes; expected at most {limit}")
            return {name: archive.read(name) for name in limits}
    except (
        OSError,
        EOFError,
        ValueError,
        RuntimeError,
        NotImplementedError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise InvalidRequest(
            f"{file.name} is a damaged archive: {error}; expected a whole .keras file"
        ) from error


def _read_weights(file: h5py.File, graph: Graph, found: Recognised) -> list[NDArray[np.float32]]:
    """All arrays in our network's order."""
    groups = _groups(graph)
    arrays: list[NDArray[np.float32]] = []
    for ours in found.network.layers:
        theirs = found.names[ours.name]
        if theirs in groups:
            shapes = {weight.name: tuple(weight.shape) for weight in ours.weights}
            arrays += _read_layer(hdf5.child(file, f"layers/{groups[theirs]}/vars"), theirs, shapes)
    _refuse_extra(file, groups)
    return arrays


def _groups(graph: Graph) -> dict[str, str]:
    """The group of each layer with weights."""
    counts: Counter[str] = Counter()
    groups: dict[str, str] = {}
    for name in graph.listed:
        kind = GROUPS.get(graph.layers[name].kind)
        if kind is not None:
            groups[name] = f"{kind}_{counts[kind]}" if counts[kind] else kind
            counts[kind] += 1
    return groups


def _read_layer(
    group: h5py.Group, layer: str, shapes: dict[str, tuple[int, ...]]
) -> list[NDArray[np.float32]]:
    named = hdf5.text(group, "name") if "name" in group.attrs else layer
    if named != layer or sorted(group) != [str(n) for n in range(len(shapes))]:
        raise InvalidRequest(
            f"{group.name} holds {len(group)} arrays of layer {named!r:.60}; "
            f"expected {len(shapes)} of {layer!r}: {', '.join(shapes)}"
        )
    arrays = {
        name: hdf5.floats(hdf5.child(group, str(n)), shape) for n, (name, shape) in enumerate(shapes.items())
    }
    check_weights(layer, arrays)
    return list(arrays.values())


def _refuse_extra(file: h5py.File, groups: dict[str, str]) -> None:
    """Raise InvalidRequest where a layer that we did not read holds arrays under vars."""
    layers = hdf5.child(file, "layers")
    known = set(groups.values())
    extra = [name for name in layers if name not in known and len(layers[name].get("vars", ()))]
    if extra:
        raise InvalidRequest(
            f"weights of {', '.join(extra[:5])} too many; expected those of {len(known)} layers"
        )
