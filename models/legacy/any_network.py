"""Import of any network of Keras's own layers with one sigmoid output, from a `.keras` file.

One of our architectures is recognised and comes in as that; another travels in its bundle as a description
of its layers (models.architectures.described). No loader of Keras sees the file.
"""

import zipfile
from pathlib import Path
from typing import Any

from core.errors import InvalidRequest
from core.model_card import ModelCard
from cutouts.recipes import RECIPES
from models.architectures.described import IMPORTED, KINDS, Described, build_described
from models.legacy.architecture_json import INPUT, Graph
from models.legacy.keras_file import CONFIG, WEIGHTS, read_keras, set_weights
from models.legacy.published import check_request, write_imported
from models.legacy.recognise import Recognised, recognised

FIXED: dict[str, Any] = {
    "data_format": "channels_last",
    "noise_shape": None,
    "output_padding": None,
    "renorm": False,
    "rms_scaling": False,
}
"""Settings that only networks of another arithmetic have otherwise."""


def import_network(
    file: Path,
    *,
    version: str,
    recipe: str,
    folder: Path,
    threshold: float = 0.5,
    classes: tuple[str, str] | None = None,
) -> ModelCard:
    """Write the network of a `.keras` file as a bundle and return its card; weights stay float32.

    Parameters
    ----------
    recipe : what makes the network's images; it gets them in 0..1, (144, 144, 1) or three times the same.
    folder : of the bundle; must not hold one already.
    classes : what 0 and 1 mean; the family's own by default.

    Raises InvalidRequest, with what came and what was expected, for an unknown recipe and for anything but a
    whole network of known layers with all of its weights and one sigmoid as its output. Nothing is written
    then, and nothing in the file is executed.
    """
    check_request(version, folder, threshold)
    if recipe not in RECIPES:
        raise InvalidRequest(f"recipe {recipe!r:.60}; expected one of {', '.join(RECIPES)}")
    _refuse_other_formats(file)
    graph, weights = read_keras(file)
    found, description = _found(graph, f"{file.name}: {CONFIG}")
    set_weights(found, graph, weights, f"{file.name}: {WEIGHTS}")
    out: dict[str, Any] = {"version": version, "folder": folder, "threshold": threshold}
    out |= {"recipe": recipe, "classes": classes, "description": description}
    return write_imported(found, graph, [file], **out)


def describe(graph: Graph) -> list[Described]:
    """The layers of a graph as data; raises InvalidRequest for a setting that a description has not."""
    places = {name: place for place, name in enumerate(graph.layers)}
    description = []
    for name, layer in graph.layers.items():
        other = {k: layer.settings[k] for k, v in FIXED.items() if layer.settings.get(k, v) != v}
        if other:
            raise InvalidRequest(f"layer {name!r}, a {layer.kind}, has {other!r:.100}; expected {FIXED}")
        kept = ("shape",) if layer.kind == INPUT else KINDS.get(layer.kind, ())
        settings = {key: layer.settings[key] for key in kept}
        description.append(Described(layer.kind, settings, tuple(places[source] for source in layer.inputs)))
    return description


def _found(graph: Graph, source: str) -> tuple[Recognised, list[Described] | None]:
    ours = recognised(graph)
    if ours is not None:
        return ours, None
    description = describe(graph)
    try:
        network, names = build_described(description)
    except InvalidRequest as error:
        raise InvalidRequest(f"{source}: {error}") from error
    theirs = dict(zip(names, graph.layers, strict=True))
    for layer in network.layers:  # what makes three channels of one is part of the input
        theirs.setdefault(layer.name, theirs[names[0]])
    return Recognised(IMPORTED, network, theirs), description


def _refuse_other_formats(file: Path) -> None:
    """Raise InvalidRequest for what is no zip, naming what it looks like."""
    try:
        if zipfile.is_zipfile(file):
            return
        with file.open("rb") as stream:
            start = stream.read(8)
    except OSError as error:
        raise InvalidRequest(f"{file} can't be read: {error.strerror}") from error
    kinds = {b"\x89HDF": "an HDF5 file", b"\x80": "a pickle, which is never read", b"\x08": "an ONNX file"}
    kind = next((kind for magic, kind in kinds.items() if start.startswith(magic)), f"starts with {start!r}")
    raise InvalidRequest(f"{file.name} is no whole .keras file: {kind}; expected one as Keras 3 saves it")
