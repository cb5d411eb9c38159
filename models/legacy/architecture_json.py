"""A network's architecture as Keras writes it in JSON, read as data: layers, settings and connections."""

import graphlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import InvalidRequest
from models.legacy.layer_kinds import Settings, settings_of

MAX_BYTES = 4 * 1024 * 1024
MAX_LAYERS = 2000
MAX_NAME = 200
TOLD = 1000  # characters of an error, which may quote the file
INPUT = "InputLayer"


@dataclass(frozen=True)
class Layer:
    """One layer: what it computes, and from which layers."""

    name: str
    kind: str
    settings: Settings
    inputs: tuple[str, ...]

    def __str__(self) -> str:
        """Its kind and settings, for people: Conv2D(filters=64, ...)."""
        return f"{self.kind}({', '.join(f'{key}={value}' for key, value in self.settings.items())})"


@dataclass(frozen=True)
class Graph:
    """A network of one input and one output.

    Attributes
    ----------
    layers : by name, each after those it takes its input from.
    listed : the names in the file's order, which is the order of a Keras 3 weights file.
    """

    name: str
    keras_version: str
    layers: dict[str, Layer]
    listed: tuple[str, ...]
    output: str


def read_architecture(path: Path) -> Graph:
    """The architecture in a JSON file; raises InvalidRequest unless it holds a plain network."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise InvalidRequest(
                f"{path.name} is {size} bytes; expected an architecture of at most {MAX_BYTES}"
            )
        text = path.read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{path} can't be read: {error}") from error
    return parse_architecture(text, path.name)


def parse_architecture(text: str | bytes, source: str) -> Graph:
    """The architecture in JSON text; `source` names it in errors.

    Raises InvalidRequest, with what came and what was expected, for anything but a network of known layers,
    each used once, with one input and one output; for a Lambda layer before all else.
    """
    if len(text) > MAX_BYTES:
        raise InvalidRequest(
            f"{source} holds {len(text)} bytes; expected an architecture of at most {MAX_BYTES}"
        )
    try:
        model = json.loads(text)
        _refuse_code(model)
        return _graph(model)
    except InvalidRequest as error:
        raise InvalidRequest(f"{source}: {error!s:.{TOLD}}") from error
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(
            f"{source} is not JSON: {error}; expected an architecture as Keras's to_json writes it"
        ) from error
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise InvalidRequest(
            f"{source} is JSON, but not as Keras's to_json writes it: {type(error).__name__} {error}"
        ) from error


def _refuse_code(value: Any) -> None:
    """Raise InvalidRequest where a Lambda, or a function kept as bytes or a pickle, is anywhere inside."""
    if isinstance(value, dict):
        kind = value.get("class_name")
        if isinstance(kind, str) and "lambda" in kind.lower():
            name = value.get("name") or (value.get("config") or {}).get("name", "?")
            raise InvalidRequest(
                f"layer {name!r} is a {kind}, which holds code; nothing in a model file is executed"
            )
        pickled = [key for key in value if isinstance(key, str) and key.startswith("py/")]
        if pickled:
            raise InvalidRequest(
                f"it holds a pickled object ({pickled[0]}); nothing in a model file is executed"
            )
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            _refuse_code(item)


def _graph(model: dict[str, Any]) -> Graph:
    kind, config = model["class_name"], model["config"]
    if kind == "Sequential":
        layers, output = _chain(config if isinstance(config, list) else config["layers"])
    elif kind in ("Model", "Functional"):
        layers = [_node(entry) for entry in _limited(config["layers"])]
        _one("input", _ends(config["input_layers"]))
        output = _one("output", _ends(config["output_layers"]))
    else:
        raise InvalidRequest(f"a {kind!r:.60}; expected a Sequential, Model or Functional network")
    name = config.get("name", "?") if isinstance(config, dict) else "?"
    return Graph(
        name=str(name)[:MAX_NAME],
        keras_version=str(model.get("keras_version", "?"))[:MAX_NAME],
        layers=_in_order(layers, output),
        listed=tuple(layer.name for layer in layers),
        output=output,
    )


def _limited(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if not 0 < len(entries) <= MAX_LAYERS:
        raise InvalidRequest(f"{len(entries)} layers; expected 1 to {MAX_LAYERS}")
    return entries


def _chain(entries: list[dict[str, Any]]) -> tuple[list[Layer], str]:
    """The layers of a Sequential network; its input may be told by the first layer alone (Keras 2)."""
    first = _limited(entries)[0]
    if first["class_name"] != INPUT:
        shape = {"batch_input_shape": first["config"].get("batch_input_shape"), "name": "(input)"}
        entries = [{"class_name": INPUT, "config": shape}, *entries]
    layers: list[Layer] = []
    for entry in entries:
        layers.append(_layer(entry, inputs=(layers[-1].name,) if layers else ()))
    return layers, layers[-1].name


def _node(entry: dict[str, Any]) -> Layer:
    """A layer of a functional network, with its connections as Keras 2 or as Keras 3 writes them."""
    nodes = entry["inbound_nodes"]
    if len(nodes) != (entry["class_name"] != INPUT):
        raise InvalidRequest(f"layer {entry['config']['name']!r} is used {len(nodes)} times; expected once")
    if not nodes:
        return _layer(entry, inputs=())
    (node,) = nodes
    if isinstance(node, dict):
        options = [node["kwargs"]]
        if len(node["args"]) != 1:
            raise InvalidRequest(
                f"layer {entry['config']['name']!r} is called with {len(node['args'])} arguments; "
                "expected one, a layer's output or a list of them"
            )
        (tensors,) = node["args"]
        tensors = [tensors] if isinstance(tensors, dict) else tensors
        sources = [tensor["config"]["keras_history"] for tensor in tensors]
    else:
        options = [source[3] for source in node if len(source) > 3]
        sources = node
    for option in options:
        changed = {key: value for key, value in option.items() if value not in (None, False)}
        if changed:
            raise InvalidRequest(
                f"layer {entry['config']['name']!r} is called with {changed!r:.80}; expected nothing"
            )
    for source in sources:
        if source[1:3] != [0, 0]:
            raise InvalidRequest(
                f"layer {entry['config']['name']!r} takes {source[:3]}; expected a layer's only output"
            )
    return _layer(entry, inputs=tuple(source[0] for source in sources))


def _layer(entry: dict[str, Any], *, inputs: tuple[str, ...]) -> Layer:
    kind, config = entry["class_name"], entry["config"]
    name = config["name"]
    if not isinstance(name, str) or not isinstance(kind, str) or max(len(name), len(kind)) > MAX_NAME:
        raise InvalidRequest(
            f"a layer named {name!r:.60} of kind {kind!r:.60}; expected at most {MAX_NAME} characters"
        )
    module, registered = entry.get("module") or "keras", entry.get("registered_name") or kind
    if module.split(".")[0] not in ("keras", "tf_keras") or registered != kind:
        raise InvalidRequest(
            f"layer {name!r} is a custom object, {registered!r:.60} of {module!r:.60}; "
            "expected Keras's own layers"
        )
    return Layer(name=name, kind=kind, settings=settings_of(name, kind, config), inputs=inputs)


def _ends(ends: list[Any]) -> list[str]:
    """Names of input or output layers: one triple, or a list of triples."""
    triples = [ends] if ends and isinstance(ends[0], str) else ends
    return [triple[0] for triple in triples]


def _one(end: str, names: list[str]) -> str:
    if len(names) != 1:
        raise InvalidRequest(f"{len(names)} {end}s, {', '.join(map(str, names))}; expected one")
    return names[0]


def _in_order(layers: list[Layer], output: str) -> dict[str, Layer]:
    """The layers by name, each after its inputs; raises InvalidRequest unless they are one network."""
    named = {layer.name: layer for layer in layers}
    if len(named) != len(layers):
        twice = sorted({layer.name for layer in layers if named[layer.name] is not layer})
        raise InvalidRequest(f"two layers are named {twice[0]!r}; expected a name for each")
    used = {name for layer in layers for name in layer.inputs} | {output}
    if used - set(named):
        raise InvalidRequest(f"layer {sorted(used - set(named))[0]!r} is taken as input but not described")
    if set(named) - used:
        raise InvalidRequest(
            f"layer {sorted(set(named) - used)[0]!r} leads nowhere; expected every layer on the way"
        )
    try:
        order = list(
            graphlib.TopologicalSorter({n: layer.inputs for n, layer in named.items()}).static_order()
        )
    except graphlib.CycleError as error:
        raise InvalidRequest(f"layers {', '.join(error.args[1])} form a circle") from error
    return {name: named[name] for name in order}
